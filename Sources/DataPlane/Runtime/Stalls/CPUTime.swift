import Glibc

/// What the kernel counts as time in which a thread could not run, for comparison with what the poll loops measure themselves.
package enum CPUTime {
    /// Nanoseconds for which a thread of this process was ready to run while others ran; nil: the kernel does not count them (CONFIG_SCHED_INFO).
    static func waited(thread: Int32) -> UInt64? {
        contents(of: "/proc/self/task/\(thread)/schedstat").flatMap(waited(schedstat:))
    }

    /// Nanoseconds for which the hypervisor ran others on a CPU of this machine since the machine started, to within a tick of the kernel's clock.
    static func stolen(cpu: Int) -> UInt64? {
        contents(of: "/proc/stat").flatMap { stolenTicks(cpu: cpu, stat: $0) }.map { $0 * 1_000_000_000 / UInt64(max(1, sysconf(CInt(_SC_CLK_TCK)))) }
    }

    /// The second number of a thread's schedstat file (proc(5)): time run, time waiting, number of time slices.
    package static func waited(schedstat: String) -> UInt64? {
        let figures = schedstat.split(whereSeparator: \.isWhitespace)
        return figures.count == 3 ? UInt64(figures[1]) : nil
    }

    /// The eighth number in a CPU's line of /proc/stat (proc(5)), in ticks.
    package static func stolenTicks(cpu: Int, stat: String) -> UInt64? {
        let name = "cpu\(cpu)"
        guard let line = stat.split(separator: "\n").first(where: { $0.hasPrefix(name + " ") }) else { return nil }
        let figures = line.split(separator: " ")
        return figures.count > 8 ? UInt64(figures[8]) : nil
    }

    private static func contents(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return count == 0 ? String(decoding: bytes, as: UTF8.self) : nil }
            bytes += buffer[..<count]
        }
    }
}
