import DataPlane
import Testing

@Suite struct PlacementTests {
    private let loops = [0, 0, 1, 1].enumerated().map { Placement.Loop(cpu: $0 + 4, numaNode: $1) }

    private func loads(_ placement: Placement) -> [Int] {
        placement.loops.values.reduce(into: [0, 0, 0, 0]) { $0[$1] += 1 }
    }

    @Test("Queues spread evenly")
    func spread() {
        let placement = Placement().placing((1...8).map { Placement.Request(port: $0, queues: 2) }, on: loops)
        #expect(loads(placement) == [4, 4, 4, 4])
    }

    @Test("A queue goes to a loop of its own NUMA node")
    func near() {
        let placement = Placement().placing((1...4).map { Placement.Request(port: $0, queues: 1, numaNode: 1) }, on: loops)
        #expect(loads(placement) == [0, 0, 2, 2])
    }

    @Test("A pinned port stays on its CPUs, whatever its node")
    func pinned() {
        let placement = Placement().placing([Placement.Request(port: 1, queues: 4, cpus: [5], numaNode: 1)], on: loops)
        #expect(loads(placement) == [0, 4, 0, 0])
    }

    @Test("A paced port's queues share a loop")
    func together() {
        let placement = Placement().placing([Placement.Request(port: 1, queues: 4, together: true)], on: loops)
        #expect(Set(placement.loops.values).count == 1)
        #expect(placement.loops.count == 4)
    }

    @Test("A port that comes or goes moves no other port's queues")
    func stable() {
        let first = Placement().placing((1...4).map { Placement.Request(port: $0, queues: 2) }, on: loops)
        let second = first.placing([1, 2, 4, 5, 6].map { Placement.Request(port: $0, queues: 2) }, on: loops)
        #expect(second.moved(from: first).isEmpty)
        for (queue, loop) in second.loops where first.loops[queue] != nil { #expect(first.loops[queue] == loop) }
    }

    @Test("Queues that a new pinning moves are told")
    func moved() {
        let first = Placement().placing([Placement.Request(port: 1, queues: 1, cpus: [4])], on: loops)
        let second = first.placing([Placement.Request(port: 1, queues: 1, cpus: [7])], on: loops)
        #expect(second.moved(from: first) == [Placement.Queue(port: 1, queue: 0)])
    }
}
