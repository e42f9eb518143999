import DPDKShim
import Foundation

/// On which CPU, and with which memory, a run takes place.
public struct RunOptions: Sendable {
    /// The CPU of the worker; nil: the last one that this process may use.
    public var cpu: Int?
    /// The hugetlbfs mount from which memory is taken; nil: ordinary memory is used.
    public var hugeDirectory: String?
    /// The control socket of a sluiced between the ports, which knows when its poll loops lost their CPUs; nil: no switch is asked.
    public var switchSocket: String?
    /// Whether DPDK writes its own log on standard error.
    public var verbose = false
    public init() {}
}

/// DPDK's environment, which is started once in a process. It leaves no files behind.
final class Environment {
    static let workerLcore: UInt32 = 1
    let prefix: String
    /// The frequency of the time-stamp counter in Hz.
    let hertz: UInt64
    private let options: RunOptions

    /// Starts DPDK.
    /// - Parameters:
    ///   - memory: the memory to take, in bytes.
    ///   - pci: the addresses of PCI devices that the run may use.
    /// - Throws: `RunError`.
    init(_ options: RunOptions, memory: Int, pci: [String]) throws {
        self.options = options
        prefix = "sluice-gen-\(getpid())"
        let allowed = Self.allowedCPUs()
        guard let last = allowed.last else { throw RunError("this process may run on no CPU") }
        let cpu = options.cpu ?? last
        guard allowed.contains(cpu) else {
            throw RunError("CPU \(cpu) is not among those this process may use (\(allowed.map(String.init).joined(separator: ", "))); choose one with --cpu")
        }
        let all = allowed.map(String.init).joined(separator: ",")
        var arguments = [
            "sluice-gen", "--lcores", "0@(\(all)),\(Self.workerLcore)@\(cpu)", "--main-lcore", "0", "--file-prefix", prefix, "--no-telemetry",
            "--no-shconf",
        ]
        let megabytes = memory >> 20 + 64
        if let directory = options.hugeDirectory {
            arguments += ["--single-file-segments", "--huge-dir", directory, "-m", String(megabytes)]
        } else {
            arguments += ["--no-huge", "-m", String(megabytes)]
        }
        arguments += pci.isEmpty ? ["--no-pci"] : pci.flatMap { ["-a", $0] }
        arguments += options.verbose ? ["--log-level", "*:info"] : ["--log-level", "*:emergency"]
        var pointers = arguments.map { strdup($0) }
        let before = sluice_instant_now()
        // EAL keeps pointers to its arguments, so they are never freed.
        let result = pointers.withUnsafeMutableBufferPointer { sluice_generator_start_eal(CInt($0.count), $0.baseAddress) }
        hertz = sluice_cycles_per_second(before)
        guard result >= 0 else {
            throw RunError("DPDK did not start: \(reason(sluice_rte_errno())); run as root, with \(megabytes) MiB of memory free (--verbose shows DPDK's own log)")
        }
    }

    /// Removes the files that EAL leaves behind. Memory is left to end with the process, as rte_eal_cleanup (22.11) unmaps it while EAL's own interrupt thread
    /// still uses it.
    func close() {
        let files = FileManager.default
        for base in ["/var/run/dpdk", (ProcessInfo.processInfo.environment["XDG_RUNTIME_DIR"] ?? "/tmp") + "/dpdk"] {
            try? files.removeItem(atPath: "\(base)/\(prefix)")
            if (try? files.contentsOfDirectory(atPath: base))?.isEmpty == true { rmdir(base) }
        }
        guard let directory = options.hugeDirectory, let names = try? files.contentsOfDirectory(atPath: directory) else { return }
        for name in names where name.hasPrefix(prefix + "map_") { try? files.removeItem(atPath: "\(directory)/\(name)") }
    }

    /// The CPUs that this process may use, from `Cpus_allowed_list` of proc(5), such as `0-3,8`.
    static func allowedCPUs() -> [Int] {
        let status = FileManager.default.contents(atPath: "/proc/self/status").map { String(decoding: $0, as: UTF8.self) } ?? ""
        let key = "Cpus_allowed_list:"
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix(key) }) else { return [] }
        return line.dropFirst(key.count).split(separator: ",").flatMap { part -> [Int] in
            let ends = part.split(separator: "-").compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
            guard let first = ends.first, let last = ends.last, first <= last else { return [] }
            return Array(first...last)
        }
    }
}
