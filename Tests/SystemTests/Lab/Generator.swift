import Foundation

/// `sluice-gen`: simulated guests over real vhost-user sockets, and a judge of what arrives.
struct Generator {
    /// Plays a scenario to its end and reads its verdict.
    static func run(_ lab: Lab, _ scenario: String, cpu: Int = 0, within seconds: Double = 90) throws -> JSON {
        let file = try lab.write("scenario.yaml", scenario)
        let arguments = ["taskset", "-c", "\(cpu)", Build.program("sluice-gen"), "run", file, "--json", "-"]
        let result = try finish(arguments, within: seconds)
        guard let start = result.output.firstIndex(of: "{") else {
            throw LabError("sluice-gen ended with \(result.status) and no verdict:\n\(result.output)\(result.errors)")
        }
        return try JSON(String(result.output[start...]))
    }
}
