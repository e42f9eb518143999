import ArgumentParser
import Foundation
import NUMA
import RingPorts

/// A run of bounded length that executes the same code whatever else the machine does, for counting instructions and allocations.
struct Count: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let so many packets through one poll loop, then stop; counts the loop's heap calls meanwhile.",
        discussion: """
            Prints how many packets passed and how often the poll loop's thread called the allocator; fails if it did. The functions \
            ring_ports_count_begins and ring_ports_count_ends are called where counting begins and ends, for callgrind's --zero-before and --dump-before.
            """)

    @Option(help: "Packets to count over.")
    var packets: UInt64 = 1_000_000
    @Option(help: "Packets before that.")
    var warmUp: UInt64 = 10_000
    @Option(help: "CPU of the poll loop; default: the last this process may use.")
    var cpu: Int?
    @Option(help: "Allocate so often in the poll loop on purpose, to see that it is found.")
    var allocate: UInt32 = 0
    @Flag(help: "Divide the poll loop's time among its ports in every turn, as it does otherwise only after long turns.") var divided = false
    @OptionGroup var load: Load

    func run() throws {
        guard let cpu = cpu ?? NUMA.allowedCPUs.last else { throw Failure("this process may use no CPU") }
        let bed = try Bed(load, cpus: [cpu])
        defer { bed.plane.close() }
        bed.plane.dividePollTime(always: divided)
        guard ring_ports_count_begin("a0", "b0", warmUp, packets, allocate) == 0 else { throw Failure("the devices could not be watched") }
        var result = ring_ports_count()
        while !ring_ports_counted(&result) {
            usleep(1_000)
            try bed.check()
        }
        print("\(result.packets) packets, \(result.allocations) allocations, \(result.frees) frees")
        if result.allocations + result.frees > 0 { throw ExitCode.failure }
    }
}
