/** Names the tests that passed at their second try only: vitest's own reports keep silent about them. */
export default class RetriedReporter {
  onTestCaseResult(test) {
    const { retryCount = 0, flaky = false } = test.diagnostic() ?? {};
    if (flaky || retryCount > 0) process.stdout.write(`retry x${retryCount}: ${test.module.relativeModuleId} > ${test.fullName}\n`);
  }
}
