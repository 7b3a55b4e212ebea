import type { CommandModule } from "./commands/command.ts";

/** One verb, or a noun with verbs of its own. Only the module of the verb that was typed is ever loaded. */
export type CommandEntry = CommandLeaf | CommandGroup;

export interface CommandLeaf {
  readonly summary: string;
  /** Heading in the list of commands. */
  readonly group: string;
  /** Left out of help and completion. */
  readonly hidden?: boolean;
  readonly load: () => Promise<CommandModule>;
}

export interface CommandGroup {
  readonly summary: string;
  readonly group: string;
  readonly commands: CommandTable;
}

export type CommandTable = Readonly<Record<string, CommandEntry>>;

const MACHINES = "Machines";
const WORK = "Work and checkpoints";
const CARE = "Care";
const PRICES = "Prices and cost";
const SETUP = "Setting up";
const HERE = "On this machine";

export const COMMANDS: CommandTable = {
  overview: {
    summary: "the fleet, and what to type next",
    group: MACHINES,
    hidden: true,
    load: () => import("./commands/overview.ts").then((module) => module.overview),
  },
  up: {
    summary: "rent the best offer and run a command on it",
    group: MACHINES,
    load: () => import("./commands/up.ts").then((module) => module.up),
  },
  ls: {
    summary: "list instances",
    group: MACHINES,
    load: () => import("./commands/ls.ts").then((module) => module.ls),
  },
  show: {
    summary: "everything about one instance",
    group: MACHINES,
    load: () => import("./commands/show.ts").then((module) => module.show),
  },
  wait: {
    summary: "wait until an instance is in a state",
    group: MACHINES,
    load: () => import("./commands/wait.ts").then((module) => module.wait),
  },
  hibernate: {
    summary: "stop paying for the GPU, keep the disk",
    group: MACHINES,
    load: () => import("./commands/hibernate.ts").then((module) => module.hibernate),
  },
  stop: {
    summary: "why machines are not merely stopped, and what to do instead",
    group: MACHINES,
    load: () => import("./commands/stop.ts").then((module) => module.stop),
  },
  restore: {
    summary: "come back from hibernation to a serving workload",
    group: MACHINES,
    load: () => import("./commands/restore.ts").then((module) => module.restore),
  },
  down: {
    summary: "final checkpoint, end it, confirm that it is gone",
    group: MACHINES,
    load: () => import("./commands/down.ts").then((module) => module.down),
  },
  exec: {
    summary: "run a command inside an instance",
    group: WORK,
    load: () => import("./commands/exec.ts").then((module) => module.exec),
  },
  ssh: {
    summary: "a shell inside an instance",
    group: WORK,
    load: () => import("./commands/ssh.ts").then((module) => module.ssh),
  },
  cp: {
    summary: "copy files and folders into an instance and out of it",
    group: WORK,
    load: () => import("./commands/cp.ts").then((module) => module.cp),
  },
  logs: {
    summary: "what the workload says",
    group: WORK,
    load: () => import("./commands/logs.ts").then((module) => module.logs),
  },
  snapshot: {
    summary: "make, seal and verify a checkpoint now",
    group: WORK,
    load: () => import("./commands/snapshot.ts").then((module) => module.snapshot),
  },
  checkpoints: {
    summary: "list, verify, restore, copy and thin out checkpoints",
    group: WORK,
    commands: {
      ls: {
        summary: "list checkpoints",
        group: "",
        load: () => import("./commands/checkpoints/ls.ts").then((module) => module.checkpointsLs),
      },
      verify: {
        summary: "check every byte of a checkpoint",
        group: "",
        load: () => import("./commands/checkpoints/verify.ts").then((module) => module.checkpointsVerify),
      },
      restore: {
        summary: "copy a checkpoint into a folder of this machine",
        group: "",
        load: () => import("./commands/checkpoints/restore.ts").then((module) => module.checkpointsRestore),
      },
      copy: {
        summary: "copy a checkpoint to a bucket, to another volume, or back",
        group: "",
        load: () => import("./commands/checkpoints/copy.ts").then((module) => module.checkpointsCopy),
      },
      prune: {
        summary: "remove checkpoints that no rule keeps",
        group: "",
        load: () => import("./commands/checkpoints/prune.ts").then((module) => module.checkpointsPrune),
      },
    },
  },
  volumes: {
    summary: "disks that outlive instances",
    group: WORK,
    commands: {
      ls: {
        summary: "list volumes",
        group: "",
        load: () => import("./commands/volumes/ls.ts").then((module) => module.volumesLs),
      },
      create: {
        summary: "make a volume",
        group: "",
        load: () => import("./commands/volumes/create.ts").then((module) => module.volumesCreate),
      },
      rm: {
        summary: "delete a volume and everything on it",
        group: "",
        load: () => import("./commands/volumes/rm.ts").then((module) => module.volumesRm),
      },
      snapshot: {
        summary: "snapshots of disks, made by their provider",
        group: "",
        load: () => import("./commands/volumes/snapshot.ts").then((module) => module.volumesSnapshot),
      },
    },
  },
  watch: {
    summary: "tail notices and state changes, and respond with --act",
    group: CARE,
    load: () => import("./commands/watch.ts").then((module) => module.watch),
  },
  reconcile: {
    summary: "make records and clouds agree, once",
    group: CARE,
    load: () => import("./commands/reconcile.ts").then((module) => module.reconcile),
  },
  orphans: {
    summary: "what carries our tag and has no record",
    group: CARE,
    load: () => import("./commands/orphans.ts").then((module) => module.orphans),
  },
  reap: {
    summary: "end exactly what spot orphans --save wrote down",
    group: CARE,
    load: () => import("./commands/reap.ts").then((module) => module.reap),
  },
  adopt: {
    summary: "take orphans over into our records; --all rebuilds a lost state",
    group: CARE,
    load: () => import("./commands/adopt.ts").then((module) => module.adopt),
  },
  forget: {
    summary: "drop a record and leave its machine as it is",
    group: CARE,
    load: () => import("./commands/forget.ts").then((module) => module.forget),
  },
  offers: {
    summary: "what can be rented, at what price, with what risk",
    group: PRICES,
    load: () => import("./commands/offers.ts").then((module) => module.offers),
  },
  compare: {
    summary: "what a workload costs on spot, on demand, by the month, by the token or on machines of your own",
    group: PRICES,
    load: () => import("./commands/compare.ts").then((module) => module.compare),
  },
  price: {
    summary: "what is known of prices, and their history",
    group: PRICES,
    commands: {
      sync: {
        summary: "read the public catalogues of prices",
        group: "",
        load: () => import("./commands/price/sync.ts").then((module) => module.priceSync),
      },
      history: {
        summary: "how prices went, drawn",
        group: "",
        load: () => import("./commands/price/history.ts").then((module) => module.priceHistory),
      },
      stats: {
        summary: "how prices were, in figures by zone",
        group: "",
        load: () => import("./commands/price/stats.ts").then((module) => module.priceStats),
      },
    },
  },
  cost: {
    summary: "what was paid, against the same hours on demand",
    group: PRICES,
    load: () => import("./commands/cost.ts").then((module) => module.cost),
  },
  budget: {
    summary: "caps on spending, and what happens at them",
    group: PRICES,
    commands: {
      set: {
        summary: "set or change a cap",
        group: "",
        load: () => import("./commands/budget/set.ts").then((module) => module.budgetSet),
      },
      show: {
        summary: "where the spending stands, and when a cap is reached",
        group: "",
        load: () => import("./commands/budget/show.ts").then((module) => module.budgetShow),
      },
      rm: {
        summary: "take a cap away",
        group: "",
        load: () => import("./commands/budget/rm.ts").then((module) => module.budgetRm),
      },
    },
  },
  demo: {
    summary: "the whole story in a minute, without an account",
    group: HERE,
    load: () => import("./commands/demo/demo.ts").then((module) => module.demo),
  },
  local: {
    summary: "the embedded cloud",
    group: HERE,
    commands: {
      start: {
        summary: "start it",
        group: "",
        load: () => import("./commands/local/start.ts").then((module) => module.localStart),
      },
      stop: {
        summary: "stop it",
        group: "",
        load: () => import("./commands/local/stop.ts").then((module) => module.localStop),
      },
      status: {
        summary: "what it does and what runs on it",
        group: "",
        load: () => import("./commands/local/status.ts").then((module) => module.localStatus),
      },
      reclaim: {
        summary: "give an instance its reclaim notice",
        group: "",
        load: () => import("./commands/local/reclaim.ts").then((module) => module.localReclaim),
      },
      market: {
        summary: "show or change its market",
        group: "",
        load: () => import("./commands/local/market.ts").then((module) => module.localMarket),
      },
      chaos: {
        summary: "make its calls slow, fail or lose their answers",
        group: "",
        load: () => import("./commands/local/chaos.ts").then((module) => module.localChaos),
      },
      reset: {
        summary: "end everything on it and forget it",
        group: "",
        load: () => import("./commands/local/reset.ts").then((module) => module.localReset),
      },
      serve: {
        summary: "be the embedded cloud",
        group: "",
        hidden: true,
        load: () => import("./commands/local/serve.ts").then((module) => module.localServe),
      },
    },
  },
  config: {
    summary: "settings, and where each comes from",
    group: SETUP,
    commands: {
      show: {
        summary: "every setting and where it comes from",
        group: "",
        load: () => import("./commands/config/show.ts").then((module) => module.configShow),
      },
      get: {
        summary: "print one setting",
        group: "",
        load: () => import("./commands/config/get.ts").then((module) => module.configGet),
      },
      set: {
        summary: "keep a setting",
        group: "",
        load: () => import("./commands/config/set.ts").then((module) => module.configSet),
      },
      unset: {
        summary: "forget a setting",
        group: "",
        load: () => import("./commands/config/unset.ts").then((module) => module.configUnset),
      },
      ssh: {
        summary: "let plain ssh and editors find the machines by name",
        group: "",
        load: () => import("./commands/config/ssh.ts").then((module) => module.configSsh),
      },
    },
  },
  init: {
    summary: "write a fleet file by answering questions",
    group: SETUP,
    load: () => import("./commands/init.ts").then((module) => module.init),
  },
  provider: {
    summary: "credentials of clouds, and what each cloud can do",
    group: SETUP,
    commands: {
      ls: {
        summary: "which clouds are configured, and what they can do",
        group: "",
        load: () => import("./commands/provider/ls.ts").then((module) => module.providerLs),
      },
      login: {
        summary: "keep a cloud's credentials",
        group: "",
        load: () => import("./commands/provider/login.ts").then((module) => module.providerLogin),
      },
      logout: {
        summary: "forget a cloud's credentials",
        group: "",
        load: () => import("./commands/provider/logout.ts").then((module) => module.providerLogout),
      },
    },
  },
  service: {
    summary: "watch the fleet while nobody is logged in",
    group: CARE,
    commands: {
      install: {
        summary: "let systemd, launchd or cron run spot",
        group: "",
        load: () => import("./commands/service/install.ts").then((module) => module.serviceInstall),
      },
      status: {
        summary: "whether it is installed and alive, and when it last looked",
        group: "",
        load: () => import("./commands/service/status.ts").then((module) => module.serviceStatus),
      },
      uninstall: {
        summary: "stop it and remove what install wrote",
        group: "",
        load: () => import("./commands/service/uninstall.ts").then((module) => module.serviceUninstall),
      },
    },
  },
  doctor: {
    summary: "check this machine and what spot needs",
    group: SETUP,
    load: () => import("./commands/doctor.ts").then((module) => module.doctor),
  },
  schema: {
    summary: "print the JSON Schema of the fleet file",
    group: SETUP,
    load: () => import("./commands/schema.ts").then((module) => module.schema),
  },
  completion: {
    summary: "print the completion script of a shell",
    group: SETUP,
    load: () => import("./commands/completion.ts").then((module) => module.completion),
  },
};
