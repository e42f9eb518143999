import Foundation
import Testing

/// `sluice-gen`: simulates guests on real vhost-user sockets and judges what arrives.
struct Generator {
    /// Plays a scenario to its end and reads its report, with the time windows of each flow if `bins` is set.
    static func run(_ lab: Lab, _ scenario: String, cpu: Int = 0, within seconds: Double = 90, bins: Bool = false) throws -> JSON {
        let file = try lab.write("scenario.yaml", scenario)
        let result = try finish([Build.program("sluice-gen"), "run", file, "--cpu", "\(cpu)", "--json", "-", bins ? "--bins" : "--no-bins"], within: seconds)
        guard let start = result.output.firstIndex(of: "{") else {
            throw LabError("sluice-gen ended with \(result.status) and no verdict:\n\(result.output)\(result.errors)")
        }
        print(result.errors)
        return try JSON(String(result.output[start...]))
    }

    /// Plays a scenario that expects rates, and plays it again if one was missed: frames that were due while other programs or the hypervisor had the CPU of
    /// the poll loop or of the generator, beyond a burst, are lost on any switch. The last of three measurements counts in any case. Frames that are reordered,
    /// damaged or delivered to the wrong port have nothing to do with time and count at once.
    static func measure(_ lab: Lab, _ daemon: Daemon, _ scenario: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> JSON {
        var attempt = 1
        while true {
            let before = try daemon.secondsWithoutCPU()
            let report = try run(lab, scenario)
            #expect(faults(report) == noFaults, sourceLocation: sourceLocation)
            let missed = missed(report)
            if missed.isEmpty || attempt == 3 { return report }
            let missing = try daemon.secondsWithoutCPU() - before
            print("measured again; the poll loops went without their CPUs for \(Int(missing * 1000)) ms: \(missed)")
            for port in try daemon.show("port", "show").items where port["kind"].string == "vhost" {
                try daemon.waitUntil(port: port["name"].string ?? "", is: "waiting")
            }
            attempt += 1
        }
    }

    /// Everything that may have gone wrong with frames that arrived, summed over all flows.
    static func faults(_ report: JSON) -> [String: Int] {
        var sums: [String: Int] = [:]
        for flow in report["flows"].items {
            for fault in ["reordered", "duplicated", "corrupted", "misdelivered"] { sums[fault, default: 0] += flow[fault].int ?? 1 }
        }
        return sums
    }

    static let noFaults = ["reordered": 0, "duplicated": 0, "corrupted": 0, "misdelivered": 0]

    /// The expectations that were not met, as sentences.
    static func missed(_ report: JSON) -> [String] {
        report["expectations"].items.filter { $0["met"].bool != true }.compactMap { $0["text"].string }
    }

    static func flow(_ report: JSON, _ name: String) throws -> JSON {
        guard let flow = report["flows"].items.first(where: { $0["name"].string == name }) else { throw LabError("no flow \(name) in \(report)") }
        return flow
    }
}
