import ControlAPI

extension Tables {
    /// The most stalls of one core that are listed.
    private static var mostListed: Int { 20 }

    /// A line that says how often a core lost its CPU since it started, or since an earlier report; nil: never.
    static func lost(_ core: CoreStatus, since before: CoreStatus? = nil) -> String? {
        let stalls = before.map { core.stalls.since($0.stalls) } ?? core.stalls
        guard stalls.count > 0 else { return nil }
        let isNewLongest = before.map { core.stalls.longestMicroseconds > $0.stalls.longestMicroseconds } ?? true
        // The share is that of all the time that has passed: an idle loop is awake for so little of it that a share of that would mean nothing.
        let share = stalls.elapsedMicroseconds > 0 ? min(100, stalls.totalMicroseconds / stalls.elapsedMicroseconds * 100) : 0
        var line = "CPU \(core.cpu) was lost \(stalls.count) \(stalls.count == 1 ? "time" : "times")"
        line += ", longest \(isNewLongest ? "" : "since the start ")\(duration(core.stalls.longestMicroseconds))"
        line += ", \(percent(share)) of the time"
        var kernel: [String] = []
        if let waited = stalls.waitedMicroseconds { kernel.append("others ran for \(duration(waited))") }
        if let stolen = stalls.stolenMicroseconds { kernel.append("the hypervisor took \(duration(stolen))") }
        return kernel.isEmpty ? line : line + " (by the kernel's count " + kernel.joined(separator: ", ") + ")"
    }

    /// The latest times that each core lost its CPU.
    package static func stalls(_ cores: [CoreStatus]) -> String {
        let rows = cores.flatMap { core in
            (core.stalls.latest ?? []).suffix(mostListed).reversed().map { stall in
                [String(core.cpu), duration(stall.secondsAgo * 1e6), duration(stall.microseconds)]
            }
        }
        let summary = cores.map { lost($0) ?? "CPU \($0.cpu) was never lost" }
        return (summary + (rows.isEmpty ? [] : [aligned(["CPU", "AGO", "FOR"], rows, right: [0, 1, 2])])).joined(separator: "\n")
    }

    /// The duration in the largest unit in which it is at least 1.
    static func duration(_ microseconds: Double) -> String {
        if microseconds >= 1e6 { return decimal(microseconds / 1e6) + " s" }
        return microseconds >= 1e3 ? decimal(microseconds / 1e3) + " ms" : decimal(microseconds) + " us"
    }

    /// The value with two decimals.
    private static func percent(_ value: Double) -> String {
        let hundredths = Int64((value * 100).rounded())
        return "\(hundredths / 100).\(hundredths / 10 % 10)\(hundredths % 10) %"
    }
}
