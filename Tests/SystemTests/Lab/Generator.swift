import Foundation

/// `sluice-gen`: simulated guests over real vhost-user sockets, and a judge of what arrives.
struct Generator {
    /// Plays a scenario to its end and reads its verdict, with each flow's windows of time if they are wanted.
    static func run(_ lab: Lab, _ scenario: String, cpu: Int = 0, within seconds: Double = 90, bins: Bool = false) throws -> JSON {
        let file = try lab.write("scenario.yaml", scenario)
        let result = try finish([Build.program("sluice-gen"), "run", file, "--cpu", "\(cpu)", "--json", "-", bins ? "--bins" : "--no-bins"], within: seconds)
        guard let start = result.output.firstIndex(of: "{") else {
            throw LabError("sluice-gen ended with \(result.status) and no verdict:\n\(result.output)\(result.errors)")
        }
        print(result.errors)
        return try JSON(String(result.output[start...]))
    }

    /// Everything that may have gone wrong with frames that arrived, added up over all flows.
    static func faults(_ report: JSON) -> [String: Int] {
        var sums: [String: Int] = [:]
        for flow in report["flows"].items {
            for fault in ["reordered", "duplicated", "corrupted", "misdelivered"] { sums[fault, default: 0] += flow[fault].int ?? 1 }
        }
        return sums
    }

    static let noFaults = ["reordered": 0, "duplicated": 0, "corrupted": 0, "misdelivered": 0]

    /// Verdicts that were not kept, as sentences.
    static func missed(_ report: JSON) -> [String] {
        report["expectations"].items.filter { $0["met"].bool != true }.compactMap { $0["text"].string }
    }

    static func flow(_ report: JSON, _ name: String) throws -> JSON {
        guard let flow = report["flows"].items.first(where: { $0["name"].string == name }) else { throw LabError("no flow \(name) in \(report)") }
        return flow
    }
}
