import { ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Ecs } from "./client.ts";
import { PROVIDER } from "./codes.ts";
import { imageList, type WireImage } from "./wire.ts";

const PER_PAGE = 100;
const MOST_PAGES = 20;

const wordsOf = ({ ImageId, ImageName, OSName, OSNameEn, Description, ImageFamily }: WireImage) =>
  `${ImageId} ${ImageName} ${OSName} ${OSNameEn} ${Description} ${ImageFamily}`;

/** Of the system's images that are Ubuntu 22.04: one with NVIDIA's driver before one without, then the newest. */
export function newestUbuntu(images: readonly WireImage[]): WireImage | undefined {
  const hasDriver = (image: WireImage) => /nvidia|gpu.?driver|cuda/i.test(wordsOf(image));
  return images
    .filter((image) => /ubuntu[^0-9]*22[._]04/i.test(wordsOf(image)) && !/arm64|uefi_only|container/i.test(image.ImageId))
    .sort(
      (a, b) =>
        Number(hasDriver(b)) - Number(hasDriver(a)) || (b.CreationTime ?? 0) - (a.CreationTime ?? 0) || (a.ImageId < b.ImageId ? 1 : -1),
    )[0];
}

/** The image for a machine whose owner named none, of those that fit its type. @throws ProviderError `invalid-request` when there is none. */
export async function usualImage(ecs: Ecs, region: string, type: string, context: CallContext): Promise<string> {
  const images: WireImage[] = [];
  for (let page = 1; page <= MOST_PAGES; page++) {
    const parameters = {
      RegionId: region,
      ImageOwnerAlias: "system",
      OSType: "linux",
      Architecture: "x86_64",
      InstanceType: type,
      IsSupportCloudinit: true,
      PageNumber: page,
      PageSize: PER_PAGE,
    };
    const { Images } = await ecs.read({ region, action: "DescribeImages", parameters, answer: imageList }, context);
    images.push(...Images.Image);
    if (Images.Image.length < PER_PAGE) break;
  }
  const chosen = newestUbuntu(images);
  if (chosen !== undefined) return chosen.ImageId;
  throw new ProviderError(
    PROVIDER,
    { kind: "invalid-request" },
    `${region} has no image of Ubuntu 22.04 for ${type}: name one with --image`,
  );
}
