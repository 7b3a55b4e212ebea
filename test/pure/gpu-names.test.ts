import fc from "fast-check";
import { expect, test } from "vitest";
import { askedModel, gpuFromName, gpuMatcher, isAskedGpu, productName } from "../../src/model/gpu-names.ts";
import { parseGpuQuery } from "../../src/model/gpu-query.ts";

test.each<[string, string, number | null, string?]>([
  // PPIO and Novita: product names.
  ["RTX 4090 24GB", "RTX4090", 24],
  ["RTX 3090 24GB", "RTX3090", 24],
  ["RTX 5090 32GB", "RTX5090", 32],
  ["RTX 4090D 24GB", "RTX4090D", 24],
  ["H100 SXM 80GB", "H100", 80, "SXM"],
  ["H100 80GB SXM", "H100", 80, "SXM"],
  ["H20 96GB", "H20", 96],
  ["L40S 48GB", "L40S", 48],
  ["A100 SXM 80 GB", "A100", 80, "SXM"],
  ["RTX 6000 Ada 48GB", "RTX6000ADA", 48],
  // Hyperstack: flavors' and the price book's.
  ["H100-80G-PCIe-spot", "H100", 80, "PCIe"],
  ["H100-80G-PCIe-NVLink", "H100", 80, "PCIe"],
  ["H100-80G-SXM5", "H100", 80, "SXM"],
  ["A100-80G-PCIe", "A100", 80, "PCIe"],
  ["L40", "L40", 48],
  ["L40-spot", "L40", 48],
  ["RTX-A6000", "RTXA6000", 48],
  ["RTX-A6000-spot", "RTXA6000", 48],
  ["A6000", "RTXA6000", 48],
  ["RTX-A4000", "RTXA4000", 16],
  ["A4000", "RTXA4000", 16],
  ["RTX Pro 6000", "RTXPRO6000", 96],
  ["RTX-PRO6000-SE", "RTXPRO6000", 96],
  ["H200-141G-SXM5", "H200", 141, "SXM"],
  // Verda: descriptions.
  ["8x H100 SXM5 80GB", "H100", 80, "SXM"],
  ["1x H200 SXM5 141GB", "H200", 141, "SXM"],
  ["4x B200 SXM6 180GB", "B200", 180],
  ["8x B300 SXM6 262GB", "B300", 262],
  ["1x A100 SXM4 40GB", "A100", 40, "SXM"],
  ["2x RTX PRO 6000 96GB", "RTXPRO6000", 96],
  ["1x RTX PRO 6000 Blackwell Server Edition 96GB", "RTXPRO6000", 96],
  ["8x Tesla V100 16GB", "V100", 16],
  ["1x L40S 48GB", "L40S", 48],
  // Catalogues, drivers and other clouds.
  ["NVIDIA A100-SXM4-80GB", "A100", 80, "SXM"],
  ["NVIDIA H100 80GB HBM3", "H100", 80, "SXM"],
  ["NVIDIA GeForce RTX 4090", "RTX4090", 24],
  ["NVIDIA RTX 6000 Ada Generation", "RTX6000ADA", 48],
  ["NVIDIA RTX A6000", "RTXA6000", 48],
  ["NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", "RTXPRO6000", 96],
  ["RTX6000Ada", "RTX6000ADA", 48],
  ["RTXPRO6000", "RTXPRO6000", 96],
  ["H100NVL", "H100", null, "NVL"],
  ["H100 NVL 94GB", "H100", 94, "NVL"],
  ["H100SXM5", "H100", null, "SXM"],
  ["A100PCIE", "A100", null, "PCIe"],
  ["A10G", "A10G", 24],
  ["A10", "A10", 24],
  ["T4", "T4", 16],
  ["AMD Instinct MI300X", "MI300X", 192],
  ["4090", "RTX4090", 24],
  ["3080 Ti", "RTX3080TI", null],
  ["H100 x8", "H100", null],
  ["A100 81920MiB", "A100", 80],
  ["H100_PCIE_BAREMETAL", "H100", null, "PCIe"],
  ["RTX5090_PCIE_BAREMETAL", "RTX5090", 32],
  ["A6000_PCIE_LOW_RAM", "RTXA6000", 48],
  ["A6000_PCIE_HIGH_PERF", "RTXA6000", 48],
  ["A100_80G_SXM4", "A100", 80, "SXM"],
  ["RTXPRO6000-WK", "RTXPRO6000", 96],
  ["RTX6000ADA_PCIE", "RTX6000ADA", 48],
  ["RTX 4070S Ti", "RTX4070TISUPER", null],
  ["RTX 4070 Ti SUPER", "RTX4070TISUPER", null],
  ["RTX 4080S", "RTX4080SUPER", null],
  ["4060 Ti", "RTX4060TI", null],
  ["Q RTX 6000", "RTX6000", null],
  ["Quadro RTX 6000", "RTX6000", null],
  ["GTX 1660 S", "GTX1660SUPER", null],
  ["GTX 1660 SUPER", "GTX1660SUPER", null],
  ["GTX 1660 Ti", "GTX1660TI", null],
  ["Gaudi 3", "GAUDI3", null],
  ["GPU", "GPU", null],
  ["", "", null],
])("%j is a %s with %s GB", (text, model, vramGb, form) => {
  expect(gpuFromName(text)).toEqual({ model, vramGb, ...(form === undefined ? {} : { form }) });
});

test("a name that was read once is read the same again", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9 ._-]{1,24}$/), (text) => {
      const { model } = gpuFromName(text);
      expect(model).toBe(model.toUpperCase());
      expect(askedModel(askedModel(text))).toBe(askedModel(text));
    }),
    { numRuns: 1000 },
  );
});

test.each([
  ["rtx4090", "RTX4090"],
  ["RTX 4090", "RTX4090"],
  ["4090", "RTX4090"],
  ["geforce-rtx-4090", "RTX4090"],
  ["nvidia h100", "H100"],
  ["A100-80GB", "A100-80GB"],
  ["a100 80g", "A100-80GB"],
  ["a6000", "RTXA6000"],
  ["rtx pro 6000", "RTXPRO6000"],
  ["RTX6000 Ada Generation", "RTX6000ADA"],
  ["H100 SXM", "H100-SXM"],
  ["h100 sxm5 80gb", "H100-SXM-80GB"],
  ["NVIDIA H100 80GB HBM3", "H100-SXM-80GB"],
  ["h100-nvl", "H100-NVL"],
  ["A100 PCIe", "A100-PCIE"],
  // What no offer tells apart stays as it is, and finds nothing.
  ["L40S SXM", "L40S SXM"],
  ["H100 NVLink", "H100 NVLINK"],
  ["H10", "H10"],
  ["gpu", "GPU"],
  ["8x H100", "8XH100"],
  ["H100 x8", "H100X8"],
])("whoever types %s asks for %s", (text, model) => {
  expect(askedModel(text)).toBe(model);
  expect(parseGpuQuery(`${text}:2`)).toEqual({ model, count: 2 });
});

test.each<[string, string, number, boolean, ("SXM" | "PCIe" | "NVL")?]>([
  ["H100", "H100", 80, true, "PCIe"],
  ["H100 SXM", "H100", 80, true, "SXM"],
  ["H100 SXM", "H100 SXM5", 80, true],
  ["H100 SXM", "H100", 80, false, "PCIe"],
  ["H100-80GB-HBM3", "H100", 80, false, "PCIe"],
  ["H100-80GB-HBM3", "H100", 80, true, "SXM"],
  ["A100 SXM 40GB", "A100", 40, true, "SXM"],
  ["A100 SXM 40GB", "A100", 80, false, "SXM"],
  ["RTX 4090", "RTX4090", 24, true],
  ["4090", "RTX4090", 24, true],
  ["4090", "rtx4090", 0, true],
  ["RTX4090", "RTX 4090 24GB", 24, true],
  ["RTX4090", "RTX4090D", 24, false],
  ["A100", "A100-80GB", 80, true],
  ["A100", "A100", 40, true],
  ["A100-80GB", "A100-80GB", 80, true],
  ["A100-80GB", "A100", 80, true],
  ["A100-80GB", "A100", 79.6, true],
  ["A100-80GB", "A100", 40, false],
  ["A100-80GB", "A100", 0, false],
  ["A100-80GB", "A100-80GB", 0, true],
  ["H100", "H200", 141, false],
  ["L40", "L40S", 48, false],
  ["H100 SXM", "H100", 80, false],
  ["A6000", "RTXA6000", 48, true],
])("%s is served by a %s of %s GB: %s", (asked, model, vramGb, expected, form) => {
  const offered = { model, vramGb, ...(form === undefined ? {} : { form }) };
  expect(isAskedGpu(asked, offered)).toBe(expected);
  const matches = gpuMatcher(asked);
  expect([matches(offered), matches({ model: "T4", vramGb: 16 }), matches(offered)]).toEqual([expected, false, expected]);
});

test.each<[{ readonly model: string; readonly vramGb: number; readonly form?: "SXM" | "PCIe" | "NVL" }, string]>([
  [{ model: "A100", vramGb: 40 }, "A100-40GB"],
  [{ model: "A100", vramGb: 79.6, form: "SXM" }, "A100-80GB SXM"],
  [{ model: "H100", vramGb: 80, form: "PCIe" }, "H100-80GB PCIe"],
  [{ model: "H100", vramGb: 93.6, form: "NVL" }, "H100-94GB NVL"],
  [{ model: "H100", vramGb: 0 }, "H100"],
  [{ model: "RTX4090", vramGb: 24 }, "RTX4090"],
  [{ model: "RTX4090", vramGb: 48 }, "RTX4090-48GB"],
  [{ model: "B300", vramGb: 262 }, "B300"],
  [{ model: "V100", vramGb: 15.8 }, "V100-16GB"],
  [{ model: "NOBODYKNOWS", vramGb: 7 }, "NOBODYKNOWS"],
])("%j is sold as %s", (gpu, name) => {
  expect(productName(gpu)).toBe(name);
});
