import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FILE = fileURLToPath(new URL("iris.csv", import.meta.url));
const SPECIES = ["setosa", "versicolor", "virginica"];

/**
 * Reads iris.csv. Every fifth flower is held out (10 of each species): the network never learns from it, and accuracy
 * is measured on it. Features are brought to mean 0 and deviation 1 with the figures of the training rows alone.
 */
export function loadIris(file = FILE) {
  const text = readFileSync(file, "utf8");
  const rows = text.trim().split("\n").slice(1).map(readRow);
  if (rows.length !== 150) throw new Error(`${file}: 150 rows expected, found ${rows.length}`);
  const training = rows.filter((_, index) => index % 5 !== 4);
  const heldOut = rows.filter((_, index) => index % 5 === 4);
  const scale = [0, 1, 2, 3].map((column) => columnScale(training.map((row) => row.features[column])));
  const scaled = (row) => ({ label: row.label, features: row.features.map((value, c) => (value - scale[c].mean) / scale[c].deviation) });
  return { training: training.map(scaled), heldOut: heldOut.map(scaled), sha256: createHash("sha256").update(text).digest("hex") };
}

function readRow(line, index) {
  const cells = line.split(",");
  const features = cells.slice(0, 4).map(Number);
  const label = SPECIES.indexOf(cells[4]);
  if (cells.length !== 5 || label < 0 || features.some((value) => !(value > 0 && value < 10)))
    throw new Error(`iris.csv, line ${index + 2}: not a flower: ${JSON.stringify(line)}`);
  return { features, label };
}

function columnScale(values) {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) * (value - mean);
  return { mean, deviation: Math.sqrt(squares / values.length) };
}
