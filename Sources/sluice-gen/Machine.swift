import ArgumentParser
import Foundation
import TrafficGenerator

struct HiccupsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hiccups",
        abstract: "What the bare machine takes from a thread that spins: the floor of every switch's latency here.",
        discussion: "A share of 1 % of the time lost means that no switch on that CPU can have a 99th percentile below the bound.")

    @Option(help: "CPUs to spin on, all at once: 2, or 2,3.") var cpu: String
    @Option(help: "How long.") var seconds = 5.0
    @Option(help: ArgumentHelp("Microseconds from which on a gap counts.", valueName: "us")) var bound = 20
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard let cpus, !cpus.isEmpty, Set(cpus).count == cpus.count else { throw ValidationError("--cpu takes CPUs' numbers with commas between, such as 2,3") }
        guard 0.1...3_600 ~= seconds else { throw ValidationError("--seconds takes 0.1 to 3600") }
        guard 1...1_000_000 ~= bound else { throw ValidationError("--bound takes 1 to 1000000 microseconds") }
    }

    private var cpus: [Int]? {
        let words = cpu.split(separator: ",", omittingEmptySubsequences: false)
        let numbers = words.compactMap { Int($0) }.filter { 0...1_023 ~= $0 }
        return numbers.count == words.count ? numbers : nil
    }

    func run() throws {
        do {
            let results = try Hiccups.measure(cpus: cpus ?? [], seconds: seconds, bound: UInt64(bound) * 1_000)
            print(json ? try text(of: results) : results.map(\.text).joined(separator: "\n"))
        } catch { throw fail(error) }
    }
}

struct WakesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wakes",
        abstract: "How long the bare machine takes to wake a thread that waits: the floor of a first frame after a pause.")

    @Option(help: "The CPU that waits.") var cpu: Int
    @Option(help: "The CPU that wakes it.") var from: Int
    @Option(help: "How often.") var count = 300
    @Option(help: ArgumentHelp("Milliseconds between two.", valueName: "ms")) var pause = 10
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard 0...1_023 ~= cpu, 0...1_023 ~= from else { throw ValidationError("--cpu and --from take CPUs' numbers, 0 to 1023") }
        guard 1...1_000_000 ~= count else { throw ValidationError("--count takes 1 to 1000000") }
        guard 1...10_000 ~= pause else { throw ValidationError("--pause takes 1 to 10000 milliseconds") }
    }

    func run() throws {
        do {
            let result = try Wakes.measure(from: from, cpu: cpu, count: count, pause: UInt64(pause) * 1_000_000)
            print(json ? try text(of: result) : result.text)
        } catch { throw fail(error) }
    }
}

private func text(of value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
}
