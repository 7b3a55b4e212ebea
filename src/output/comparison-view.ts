import { gpuText } from "../model/gpu.ts";
import { moneyJson, moneyText } from "../model/money.ts";
import type { ComparedOption, Comparison, Workload } from "../pricing/compare.ts";
import type { WorkModel } from "../pricing/effective.ts";
import { shareText } from "./offers-view.ts";
import type { Painter, View } from "./view.ts";

export interface ComparisonViewParts {
  readonly comparisons: readonly Comparison[];
  readonly workload: Workload;
  /** How the workload was asked for, for people: "24 hours", "8 hours a day for 30 days". */
  readonly workloadText: string;
  readonly work: WorkModel;
}

function optionJson({ billing, ranked, hoursBilled, total, savings }: ComparedOption) {
  const { offer, effective } = ranked;
  return {
    billing,
    provider: offer.provider,
    region: offer.region,
    zone: offer.zone,
    type: offer.type,
    price: { ...moneyJson(offer.price), per: "hour", of: "instance" },
    effectivePrice: { ...moneyJson(effective.price), per: "hour", of: "instance" },
    effective: { interruptionsPerHour: effective.interruptionsPerHour, lostShare: effective.lostShare, basis: effective.basis },
    hoursBilled,
    total: { ...moneyJson(total), basis: "estimated" },
    savings,
  };
}

function comparisonJson({ comparisons, workload, work }: ComparisonViewParts) {
  return {
    workload,
    assumptions: work,
    comparisons: comparisons.map(({ model, product, count, currency, options, breakEven }) => ({
      gpu: { model, product, count },
      currency,
      options: options.map(optionJson),
      breakEven,
    })),
  };
}

interface Row {
  readonly gpu: string;
  readonly option: ComparedOption;
  readonly best: boolean;
}

function rowsOf(comparisons: readonly Comparison[]): readonly Row[] {
  return comparisons.flatMap((comparison) =>
    comparison.options.map((option, index) => ({
      gpu: index === 0 ? gpuText({ ...comparison, model: comparison.product }) : "",
      option,
      best: index === 0,
    })),
  );
}

const COLUMNS = [
  { header: "GPU", align: "left", drop: 0 },
  { header: "BILLING", align: "left", drop: 0 },
  { header: "PROVIDER", align: "left", drop: 1 },
  { header: "ZONE", align: "left", drop: 3 },
  { header: "TYPE", align: "left", drop: 4 },
  { header: "PER HOUR", align: "right", drop: 0 },
  { header: "EFFECTIVE", align: "right", drop: 2 },
  { header: "HOURS PAID", align: "right", drop: 2 },
  { header: "TOTAL", align: "right", drop: 0 },
  { header: "SAVES", align: "right", drop: 0 },
] as const;

function cells({ gpu, option }: Row): readonly string[] {
  const { offer, effective } = option.ranked;
  return [
    gpu,
    option.billing,
    offer.provider,
    offer.zone,
    offer.type,
    moneyText(offer.price),
    moneyText(effective.price),
    option.hoursBilled.toFixed(1),
    moneyText(option.total),
    option.billing === "on-demand" ? "–" : shareText(option.savings),
  ];
}

function breakEvenLines(comparisons: readonly Comparison[]): readonly string[] {
  const many = new Set(comparisons.map(({ currency }) => currency)).size > 1;
  return comparisons.flatMap((comparison) =>
    comparison.breakEven.map(({ against, hoursPerMonth }) => {
      const gpu = `${gpuText({ ...comparison, model: comparison.product })}${many ? ` in ${comparison.currency}` : ""}`;
      if (hoursPerMonth === null) return `${gpu}: monthly never beats ${against}`;
      return `${gpu}: monthly beats ${against} from ${hoursPerMonth.toFixed(0)} useful hours a month (${(hoursPerMonth / 30).toFixed(1)} a day)`;
    }),
  );
}

function assumptionLine(work: WorkModel, painter: Painter): string {
  return painter.dim(
    `Spot counts lost work: a checkpoint every ${work.checkpointIntervalSeconds / 60} min, ${work.restartSeconds / 60} min to come back.`,
  );
}

/** On demand, spot and by the month, side by side; `spot.comparison/1`. */
export function comparisonView(parts: ComparisonViewParts): View {
  const rows = rowsOf(parts.comparisons);
  return {
    schema: "spot.comparison/1",
    data: comparisonJson(parts),
    async render(painter, width, options) {
      if (rows.length === 0) return "Nothing to compare: no offer fits.";
      const { tableText } = await import("./table.ts");
      const table = tableText(
        {
          columns: COLUMNS,
          rows: rows.map(cells),
          paint: (text, row, column) => (rows[row]?.best === true && column === 8 ? painter.green(text) : text),
        },
        painter,
        width,
        options?.header ?? true,
      );
      const footer = [...breakEvenLines(parts.comparisons), assumptionLine(parts.work, painter)];
      return `For ${parts.workloadText}:\n\n${table}\n\n${footer.join("\n")}`;
    },
  };
}
