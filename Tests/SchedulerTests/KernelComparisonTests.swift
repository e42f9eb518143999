import Scheduler
import Testing

/// The same trees and loads through the kernel's HTB, in a network namespace, and through `ClassTree`, in virtual time.
@Suite(.serialized) struct KernelComparisonTests {
    /// What the rules give, to 1 %: this holds on any machine.
    @Test(arguments: KernelScenario.all) func sluiceKeepsTheRules(scenario: KernelScenario) {
        let time = second
        let sent = scenario.sluice(for: time)
        for (leaf, rate) in scenario.expected {
            let got = Double(sent[leaf]!) * 8e3 / Double(time)
            #expect(near(got, rate, within: 0.01), "class \(leaf) of \(scenario): \(got) Mbit/s instead of \(rate)")
        }
    }

    /// Shares agree within 2 % where the kernel keeps its rules; where it errs, both figures are shown.
    @Test(.enabled(if: KernelScenario.available, "needs root, tc with HTB and python3"), arguments: KernelScenario.all)
    func theKernelAgrees(scenario: KernelScenario) throws {
        // A busy machine can starve the kernel's senders for a moment: two more tries.
        var (figures, agrees) = try compare(scenario)
        for _ in 0..<2 where !agrees && scenario.kernelFault == nil { (figures, agrees) = try compare(scenario) }
        print("\(scenario) (Mbit/s, kernel and Sluice): \(figures)\(scenario.kernelFault.map { "; " + $0 } ?? "")")
        #expect(agrees || scenario.kernelFault != nil, "\(scenario): \(figures)")
    }

    private func compare(_ scenario: KernelScenario) throws -> (figures: String, agrees: Bool) {
        let kernel = try scenario.kernel(seconds: 1)
        let sluice = scenario.sluice(for: Nanoseconds(kernel.elapsed * 1e9))
        let leaves = scenario.flows.map(\.leaf)
        let all = (kernel: leaves.reduce(0.0) { $0 + Double(kernel.bytes[$1]!) }, sluice: leaves.reduce(0.0) { $0 + Double(sluice[$1]!) })
        var figures: [String] = [], agrees = true
        for leaf in leaves {
            let rates = (kernel: Double(kernel.bytes[leaf]!) * 8e-6 / kernel.elapsed, sluice: Double(sluice[leaf]!) * 8e-6 / kernel.elapsed)
            figures.append("\(leaf): \(Self.short(rates.kernel)) and \(Self.short(rates.sluice))")
            let shares = (kernel: Double(kernel.bytes[leaf]!) / all.kernel, sluice: Double(sluice[leaf]!) / all.sluice)
            // A few frames more or less in a second are 0.3 % of the whole.
            agrees = agrees && abs(shares.kernel - shares.sluice) <= 0.02 * shares.sluice + 0.003
        }
        return (figures.joined(separator: ", "), agrees)
    }

    static func short(_ rate: Double) -> String { "\((rate * 100).rounded() / 100)" }
}
