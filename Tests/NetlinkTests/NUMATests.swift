import Foundation
import NUMA
import Testing

@Suite("Memory nodes")
struct NUMATests {
    @Test func everyAllowedCPUHasANode() {
        let cpus = NUMA.allowedCPUs
        #expect(!cpus.isEmpty)
        #expect(cpus == cpus.sorted() && Set(cpus).count == cpus.count)
        #expect(cpus.count <= NUMA.configuredCPUs)
        #expect(NUMA.nodeCount >= 1)
        for cpu in cpus {
            let node = NUMA.node(ofCPU: cpu)
            #expect(node != nil && (0..<NUMA.nodeCount).contains(node!), "CPU \(cpu)")
        }
    }

    @Test func whatIsNotThereHasNoNode() {
        #expect(NUMA.node(ofCPU: -1) == nil)
        #expect(NUMA.node(ofCPU: 1 << 20) == nil)
        #expect(NUMA.memory(ofNode: -1) == nil)
        #expect(NUMA.memory(ofNode: 4096) == nil)
    }

    @Test func nodesHaveMemoryWhereTheKernelTells() {
        guard NUMA.isAvailable else { return }
        let total = (0..<NUMA.nodeCount).compactMap { NUMA.memory(ofNode: $0)?.total }.reduce(0, +)
        #expect(total > 0)
    }
}
