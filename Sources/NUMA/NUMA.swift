import CNUMA
import Glibc

/// The machine's memory nodes, through libnuma. On a machine or in a container without NUMA there is one node, 0.
public enum NUMA {
    /// Whether the kernel knows about NUMA here. If not, the other functions answer for one node.
    public static let isAvailable = numa_available() != -1

    /// Nodes of the machine, from their highest number.
    public static var nodeCount: Int { isAvailable ? Int(numa_max_node()) + 1 : 1 }

    /// The node a CPU's memory is nearest to; nil for a CPU that is not there.
    public static func node(ofCPU cpu: Int) -> Int? {
        guard cpu >= 0, cpu < configuredCPUs else { return nil }
        guard isAvailable else { return 0 }
        let node = numa_node_of_cpu(CInt(cpu))
        return node < 0 ? nil : Int(node)
    }

    /// CPUs this process may run on (sched_getaffinity(2): cpusets and taskset count), rising.
    public static var allowedCPUs: [Int] {
        // The kernel refuses a mask smaller than its own; 8192 is its largest configuration.
        var size = 1024
        while size <= 65_536 {
            guard let mask = numa_bitmask_alloc(UInt32(size)) else { return [] }
            defer { numa_bitmask_free(mask) }
            let bytes = numa_sched_getaffinity(0, mask)
            if bytes >= 0 { return (0..<size).filter { numa_bitmask_isbitset(mask, UInt32($0)) != 0 } }
            size *= 2
        }
        return []
    }

    /// CPUs of the machine whether or not this process may use them.
    public static var configuredCPUs: Int { max(1, Int(sysconf(CInt(_SC_NPROCESSORS_CONF)))) }

    /// Bytes of memory a node has, and how many of them are free; nil for a node that is not there, or without NUMA.
    public static func memory(ofNode node: Int) -> (total: Int64, free: Int64)? {
        guard isAvailable, node >= 0, node < nodeCount else { return nil }
        var free: Int64 = 0
        let total = numa_node_size64(CInt(node), &free)
        return total < 0 ? nil : (total, free)
    }
}
