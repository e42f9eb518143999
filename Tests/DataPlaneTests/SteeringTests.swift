import DataPlane
import Packet
import Testing

@Suite("Frames for guests arrive on the loops that serve them") struct SteeringTests {
    private let macs = (1...64).map { MACAddress(value: 0x5254_0000_0000 + UInt64($0)) }

    @Test("An address goes to a queue of its loop, and those of one loop are spread over its queues")
    func queues() {
        let addresses = Dictionary(uniqueKeysWithValues: macs.map { ($0, [Int($0.value & 1)] as Set) })
        let result = Steering.queues(for: addresses, loops: [0, 1, 1, 0, 1])
        #expect(result.count == macs.count && Set(result.values) == [0, 1, 2, 3, 4])
        for (mac, queue) in result { #expect(mac.value & 1 == 0 ? [0, 3].contains(queue) : [1, 2, 4].contains(queue)) }
    }

    @Test("An address keeps its queue when others go")
    func stays() {
        let all = Dictionary(uniqueKeysWithValues: macs.map { ($0, [Int($0.value & 1)] as Set) })
        let whole = Steering.queues(for: all, loops: [0, 1, 1, 0])
        let rest = Steering.queues(for: all.filter { $0.key.value > macs[30].value }, loops: [0, 1, 1, 0])
        for (mac, queue) in rest { #expect(whole[mac] == queue) }
    }

    @Test("Nothing is chosen for a guest on several loops, for one on a loop without a queue, or where one loop has all queues")
    func nothing() {
        #expect(Steering.queues(for: [macs[0]: [0, 1]], loops: [0, 1]).isEmpty)
        #expect(Steering.queues(for: [macs[0]: [2]], loops: [0, 1]).isEmpty)
        #expect(Steering.queues(for: [macs[0]: []], loops: [0, 1]).isEmpty)
        #expect(Steering.queues(for: [macs[0]: [0]], loops: [0, 0]).isEmpty)
    }
}
