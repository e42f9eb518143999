import Foundation
import Scheduler
import Testing

/// Puts the same trees and loads through the kernel's HTB in a network namespace, and through `ClassTree` in virtual time.
@Suite struct KernelComparisonTests {
    /// `ClassTree` gives what the rules say, to 1 %. This holds on any machine.
    @Test(arguments: KernelScenario.all) func sluiceKeepsTheRules(scenario: KernelScenario) {
        let time = second
        let sent = scenario.sluice(for: time)
        for (leaf, rate) in scenario.expected {
            let got = Double(sent[leaf]!) * 8e3 / Double(time)
            #expect(near(got, rate, within: 0.01), "class \(leaf) of \(scenario): \(got) Mbit/s instead of \(rate)")
        }
    }

    /// Each leaf's share in the kernel agrees with Sluice's within 2 % where the kernel keeps its rules; where it does not, with what is known of its fault.
    @Test(.needsKernel, arguments: KernelScenario.all) func theKernelAgrees(scenario: KernelScenario) throws {
        // A busy machine can keep the kernel's senders from running. If they do not keep the link busy, the shares are not what the kernel would give, so such
        // a try does not count. Of other tries there may be three.
        var result = try compare(scenario), starved = 0, judged = 0
        while !result.agrees {
            if result.isStarved { starved += 1 } else { judged += 1 }
            if judged == 3 || starved == 10 { break }
            result = try compare(scenario)
        }
        print("\(scenario) (Mbit/s, kernel and what is expected of it): \(result.figures)\(scenario.kernelFault.map { "; " + $0.why } ?? "")")
        #expect(result.agrees, "\(scenario): \(result.figures); senders were kept from running in \(starved) of \(starved + judged) tries")
    }

    private func compare(_ scenario: KernelScenario) throws -> (figures: String, agrees: Bool, isStarved: Bool) {
        let kernel = try scenario.kernel(seconds: scenario.seconds)
        let rates = kernel.bytes.mapValues { Double($0) * 8e-6 / kernel.elapsed }
        let expected = scenario.kernelFault?.shares
            ?? scenario.sluice(for: Nanoseconds(kernel.elapsed * 1e9)).mapValues { Double($0) * 8e-6 / kernel.elapsed }
        let leaves = scenario.flows.map(\.leaf)
        // If there is only one leaf, its rate is compared instead of its share.
        let all = leaves.count == 1 ? (kernel: 1, expected: 1)
            : (kernel: leaves.reduce(0) { $0 + rates[$1]! }, expected: leaves.reduce(0) { $0 + expected[$1]! })
        let figures = leaves.map { "\($0): \(Self.short(rates[$0]!)) and \(Self.short(expected[$0]!))" }.joined(separator: ", ")
        let agrees = leaves.allSatisfy { near(rates[$0]! / all.kernel, expected[$0]! / all.expected, within: 0.02) }
        return (figures, agrees, isStarved: leaves.reduce(0) { $0 + rates[$1]! } < 0.99 * leaves.reduce(0) { $0 + expected[$1]! })
    }

    static func short(_ rate: Double) -> String { "\((rate * 1000).rounded() / 1000)" }
}

extension Trait where Self == ConditionTrait {
    /// Skips the test if the kernel's HTB is not available; with CI set, the test fails instead.
    static var needsKernel: Self {
        .enabled("needs root, tc with HTB and python3") {
            if !KernelScenario.available, ProcessInfo.processInfo.environment["CI"].map({ !$0.isEmpty }) ?? false {
                throw KernelMissing()
            }
            return KernelScenario.available
        }
    }
}

struct KernelMissing: Error, CustomStringConvertible {
    let description = "no kernel HTB to compare with: run as root, with tc and python3 installed and sch_htb available"
}
