import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import { type BucketPlace, bucketText } from "../bucket.ts";

/** A thousand entries each: a million objects in one place are more than anybody lists here. */
const MOST_PAGES = 10_000;

/** Every page of a list. @throws Problem when the server turns in a circle, or never ends. */
export async function* pagesOf<Page, Mark>(
  place: BucketPlace,
  load: (mark: Mark | undefined) => Promise<Page>,
  next: (page: Page) => Mark | undefined,
): AsyncGenerator<Page> {
  const seen = new Set<string>();
  let mark: Mark | undefined;
  for (;;) {
    const page = await load(mark);
    yield page;
    mark = next(page);
    if (mark === undefined) return;
    const name = JSON.stringify(mark);
    if (seen.has(name) || seen.size >= MOST_PAGES || name === "{}")
      throw new Problem({ code: "SPOT_E_PROTOCOL", message: `${bucketText(place)}: its list does not end`, exit: EXIT.failed });
    seen.add(name);
  }
}
