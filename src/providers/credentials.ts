/** What a cloud wants to know before it answers, and where it answers. Data only: reading it loads no adapter. */
export interface CloudAccess {
  readonly provider: string;
  /** The cloud's name for people. */
  readonly title: string;
  /**
   * Environment variables that hold the credentials; all are needed. Stored credentials use the same names. None where the
   * cloud has a chain of its own.
   */
  readonly variables: readonly string[];
  /**
   * Where the cloud's own tools keep credentials. The adapter hands the search to the cloud's library; this says only whether
   * there is anything to be found.
   */
  readonly chain?: CredentialChain;
  /** Further variables that hold a secret, where there are some. */
  readonly secrets?: readonly string[];
  /** The variable that moves the endpoint, and where it is otherwise. */
  readonly endpoint: { readonly variable: string; readonly url: string };
  /** Where a person gets them. */
  readonly obtain: string;
}

/** Any one of these is enough. A machine's own role (its metadata service) is not among them: asking for it takes a request. */
export interface CredentialChain {
  readonly variables: readonly string[];
  /** Files, each where the variable says, or else at a path below the person's own folder. */
  readonly files: readonly {
    readonly variable: string;
    readonly path: string;
    /** What stands in it where it leads to credentials, for a file that most people have for other reasons. */
    readonly says?: RegExp;
  }[];
  /** What to type to have them. */
  readonly login: string;
}

export const CLOUD_ACCESS: readonly CloudAccess[] = [
  {
    provider: "ppio",
    title: "PPIO",
    variables: ["PPIO_API_KEY"],
    endpoint: { variable: "PPIO_API_URL", url: "https://api.ppio.com" },
    obtain: "ppio.com, console, API keys",
  },
  {
    provider: "novita",
    title: "Novita AI",
    variables: ["NOVITA_API_KEY"],
    endpoint: { variable: "NOVITA_API_URL", url: "https://api.novita.ai" },
    obtain: "novita.ai, settings, key management",
  },
  {
    provider: "hyperstack",
    title: "Hyperstack",
    variables: ["HYPERSTACK_API_KEY"],
    endpoint: { variable: "HYPERSTACK_API_URL", url: "https://infrahub-api.nexgencloud.com/v1" },
    obtain: "console.hyperstack.cloud, API keys",
  },
  {
    provider: "verda",
    title: "Verda",
    variables: ["VERDA_CLIENT_ID", "VERDA_CLIENT_SECRET"],
    endpoint: { variable: "VERDA_API_URL", url: "https://api.verda.com/v1" },
    obtain: "console.verda.com, keys, cloud API credentials",
  },
  {
    provider: "aws",
    title: "AWS EC2",
    variables: [],
    chain: {
      variables: [
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
      ],
      files: [
        { variable: "AWS_SHARED_CREDENTIALS_FILE", path: ".aws/credentials" },
        {
          variable: "AWS_CONFIG_FILE",
          path: ".aws/config",
          says: /^[ \t]*(aws_access_key_id|credential_process|credential_source|login_session|role_arn|sso_[a-z_]+)[ \t]*=/m,
        },
      ],
      login: "aws configure, or aws sso login",
    },
    secrets: ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"],
    endpoint: { variable: "AWS_ENDPOINT_URL", url: "https://ec2.us-east-1.amazonaws.com" },
    obtain: "console.aws.amazon.com, IAM, security credentials",
  },
  {
    provider: "gcp",
    title: "Google Cloud",
    variables: [],
    chain: {
      variables: [],
      files: [{ variable: "GOOGLE_APPLICATION_CREDENTIALS", path: ".config/gcloud/application_default_credentials.json" }],
      login: "gcloud auth application-default login",
    },
    endpoint: { variable: "SPOT_GCP_API_URL", url: "https://compute.googleapis.com" },
    obtain: "console.cloud.google.com, IAM, service accounts",
  },
  {
    provider: "alibaba",
    title: "Alibaba Cloud ECS",
    variables: ["ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
    secrets: ["ALIBABA_CLOUD_SECURITY_TOKEN"],
    endpoint: { variable: "SPOT_ALIBABA_API_URL", url: "https://ecs.aliyuncs.com" },
    obtain: "ram.console.alibabacloud.com, users, AccessKey",
  },
];

/** Every variable that says something of somebody's credentials: what is started for other purposes is not given them. */
export function credentialVariables(): readonly string[] {
  return CLOUD_ACCESS.flatMap(({ variables, chain, secrets = [] }) => [...variables, ...(chain?.variables ?? []), ...secrets]);
}

/** @throws RangeError for a provider without credentials. */
export function accessOf(provider: string): CloudAccess {
  const found = CLOUD_ACCESS.find((access) => access.provider === provider);
  if (found === undefined) throw new RangeError(`${provider} takes no credentials`);
  return found;
}
