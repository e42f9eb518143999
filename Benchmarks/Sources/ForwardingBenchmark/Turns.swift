import ArgumentParser
import DataPlane
import Foundation

/// Measures whenever a line on standard input says for how many seconds, and answers each with a line of JSON. The process may be stopped between turns.
struct Turns: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Measure when told to on standard input.", shouldDisplay: false)

    @Option(help: "CPUs of the poll loops, such as 1 or 0,1.")
    var cpus: String
    @OptionGroup var load: Load

    func run() throws {
        let bed = try Bed(load, cpus: try cpuList(cpus))
        defer { bed.plane.close() }
        // By then, addresses have been learned and buckets have been used up.
        Thread.sleep(forTimeInterval: 0.2)
        try Dialogue.answer { try MeasurementResult(of: bed, seconds: $0) }
    }
}
