import Foundation

/// The machine that the figures were measured on.
enum Machine {
    /// The CPUs in `Cpus_allowed_list` of proc(5), which looks like `0-3,8`.
    static var allowedCPUs: [Int] {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let key = "Cpus_allowed_list:"
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix(key) }) else { return [0] }
        return line.dropFirst(key.count).split(separator: ",").flatMap { part -> [Int] in
            let ends = part.split(separator: "-").compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
            guard let first = ends.first, let last = ends.last, first <= last else { return [] }
            return Array(first...last)
        }
    }

    static func facts(generator: Int, switches: [Int]) -> [String: String] {
        let cpuinfo = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let model = cpuinfo.split(separator: "\n").first { $0.hasPrefix("model name") }?.split(separator: ":").last
        var system = utsname()
        uname(&system)
        let kernel = withUnsafeBytes(of: system.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return [
            "cpu": model.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown", "cpus": String(allowedCPUs.count), "kernel": kernel,
            "generatorCPU": String(generator), "switchCPUs": switches.map(String.init).joined(separator: ","),
            "dpdk": version("dpdk-dev"), "openvswitch": version("openvswitch-switch-dpdk"),
        ]
    }

    private static func version(_ package: String) -> String {
        (try? shell("dpkg-query", "-W", "-f", "${Version}", package))?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "not installed"
    }
}
