import Foundation

/// What the machine does without any switch, which no figure measured on it can be better than.
enum BareMachine {
    private struct Hiccups: Decodable {
        struct Gaps: Decodable { var share: Double }
        var cpu: Int
        var gaps: Gaps
    }
    private struct Wakes: Decodable { var latency: GeneratorReport.Latency }

    /// The shares of time lost by threads that only spin on the generator's CPU and on the first CPU of the switch, in gaps of 20 us or more.
    static func hiccups(_ bench: Bench, seconds: Double = 0.5) throws -> (generator: Double, switch: Double) {
        let cpus = [bench.generatorCPU] + bench.switchCPUs(1)
        let text = try shell("\(bench.programs)/sluice-gen", "hiccups", "--cpu", cpus.map(String.init).joined(separator: ","), "--seconds", "\(seconds)", "--json")
        guard let found = try? JSONDecoder().decode([Hiccups].self, from: Data(text.utf8)), found.count == 2 else { throw Fault("sluice-gen hiccups said: \(text)") }
        return (found[0].gaps.share, found[1].gaps.share)
    }

    /// How long it takes to wake a thread on the switch's CPU from the generator's CPU by an eventfd, once every 20 ms.
    static func wakes(_ bench: Bench, seconds: Double) throws -> GeneratorReport.Latency {
        guard let cpu = bench.switchCPUs(1).first else { throw Fault("there is no CPU for a switch") }
        let text = try shell(
            ["\(bench.programs)/sluice-gen", "wakes", "--cpu", "\(cpu)", "--from", "\(bench.generatorCPU)", "--count", "\(Int(seconds * 50))", "--pause", "20", "--json"],
            within: seconds * 2 + 30)
        guard let found = try? JSONDecoder().decode(Wakes.self, from: Data(text.utf8)) else { throw Fault("sluice-gen wakes said: \(text)") }
        return found.latency
    }
}
