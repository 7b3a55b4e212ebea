/** So much is asked for at once, and so many of these are under way or waiting to be read. */
export const PIECE_BYTES = 8 * 1024 * 1024;
const AHEAD = 3;

/** One piece, and the version of the object that it is of. */
interface Piece {
  readonly bytes: Uint8Array;
  readonly etag: string | undefined;
}

/**
 * The bytes of a range, fetched piece by piece, a few ahead of whoever reads. All are of the version of the object that the first one was of.
 * `fetch` gives all bytes of its piece, or throws.
 */
export async function* inPieces(
  { from, to }: { readonly from: number; readonly to: number },
  first: Piece,
  fetch: (from: number, to: number, etag: string | undefined) => Promise<Piece>,
): AsyncGenerator<Uint8Array> {
  const underWay: Promise<Piece>[] = [];
  let next = from + first.bytes.length;
  const begin = () => {
    while (underWay.length < AHEAD && next < to) {
      const end = Math.min(to, next + PIECE_BYTES);
      const piece = fetch(next, end, first.etag);
      // Told when its turn comes, or never, when nobody reads so far.
      piece.catch(() => {});
      underWay.push(piece);
      next = end;
    }
  };
  begin();
  yield first.bytes;
  for (;;) {
    begin();
    const piece = underWay.shift();
    if (piece === undefined) return;
    yield (await piece).bytes;
  }
}
