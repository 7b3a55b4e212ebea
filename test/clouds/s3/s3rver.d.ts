/** What we use of it; it comes without types. */
declare module "s3rver" {
  import type { AddressInfo } from "node:net";

  class S3rver {
    constructor(options: {
      readonly port: number;
      readonly address: string;
      readonly silent: boolean;
      readonly directory: string;
    });
    run(): Promise<AddressInfo>;
    close(): Promise<void>;
  }
  // biome-ignore lint/style/noDefaultExport: it has no other
  export default S3rver;
}
