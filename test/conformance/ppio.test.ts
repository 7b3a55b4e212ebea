import { ppioConformance } from "../clouds/ppio/conformance.ts";

ppioConformance("ppio");
