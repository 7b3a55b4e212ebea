import { ProviderError } from "../errors.ts";
import type { CallContext, Reach } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import { imageGroups, type WireImage } from "./wire.ts";

const PER_PAGE = 100;
const MOST_PAGES = 50;

/** Which Ubuntu, driver and CUDA an image brings, from its name: `Ubuntu Server 24.04 LTS R570 CUDA 12.8 with Docker`. */
function versionsOf(name: string): readonly [number, number, number] | null {
  const ubuntu = /\bubuntu\b\D*(\d{2})\.(\d{2})/i.exec(name);
  const cuda = /\bcuda\b\D{0,3}(\d{1,2})(?:\.(\d{1,2}))?/i.exec(name);
  if (ubuntu === null || cuda === null) return null;
  const driver = /\bR(\d{3})\b/.exec(name)?.[1] ?? "0";
  return [Number(ubuntu[1]) * 100 + Number(ubuntu[2]), Number(cuda[1]) * 100 + Number(cuda[2] ?? 0), Number(driver)];
}

/**
 * The image for a machine whose owner did not name one: of the public ones that are Ubuntu with CUDA the newest Ubuntu,
 * then the newest CUDA, then the newest driver; of equals the plainest name. Kubernetes images are not for one machine.
 */
export function newestUbuntuWithCuda(images: readonly WireImage[]): string | null {
  const ranked = images
    .filter(({ name, is_public }) => is_public !== false && !/kubernetes|\bk8s\b/i.test(name))
    .flatMap(({ name }) => {
      const versions = versionsOf(name);
      return versions === null ? [] : [{ name, versions }];
    })
    .sort((a, b) => {
      for (const place of [0, 1, 2] as const) if (a.versions[place] !== b.versions[place]) return b.versions[place] - a.versions[place];
      return a.name.length - b.name.length || (a.name < b.name ? -1 : 1);
    });
  return ranked[0]?.name ?? null;
}

/** @throws ProviderError `invalid-request` when the region has none. */
export async function usualImage(api: Api, region: string, context: CallContext): Promise<string> {
  const images = new Map<string, WireImage>();
  for (let page = 1; page <= MOST_PAGES; page++) {
    const query = { region, include_public: true, search: "CUDA", page, per_page: PER_PAGE };
    const { images: groups } = await api.read(imageGroups, "/core/images", context, query);
    const before = images.size;
    for (const image of groups.flatMap((group) => group.images))
      if (image.region_name === null || image.region_name === region) images.set(image.id, image);
    // The list says neither how many there are nor how many a page has at most.
    if (images.size === before) break;
  }
  const name = newestUbuntuWithCuda([...images.values()]);
  if (name === null)
    throw new ProviderError(PROVIDER, { kind: "invalid-request" }, `${region} has no public Ubuntu image with CUDA: name one with --image`);
  return name;
}

const LOGINS: readonly (readonly [RegExp, string])[] = [
  [/debian/i, "debian"],
  [/rocky/i, "rocky"],
  [/alma/i, "almalinux"],
  [/centos/i, "centos"],
  [/fedora/i, "fedora"],
];

/** Who logs in: the usual user of the image's system, `ubuntu` for what is not known (a snapshot of such a machine). */
export function loginOf(image: string): Extract<Reach, { kind: "ssh" }>["user"] {
  return LOGINS.find(([pattern]) => pattern.test(image))?.[1] ?? "ubuntu";
}
