import DataPlane
import Testing

@Suite struct BalanceTests {
    private let loops = (0..<3).map { Placement.Loop(cpu: $0 + 4, numaNode: 0) }

    /// A placement in which each port has `queues` queues, all of them on CPU 4, and requests that no longer bind the ports to it.
    private func crowded(_ ports: Int, together: Bool = false, queues: Int = 1) -> (Placement, [Placement.Request]) {
        let pinned = (1...ports).map { Placement.Request(port: UInt16($0), queues: queues, cpus: [4], together: together) }
        let free = (1...ports).map { Placement.Request(port: UInt16($0), queues: queues, together: together) }
        return (Placement().placing(pinned, on: loops), free)
    }

    private func totals(_ placement: Placement, _ loads: [Placement.Queue: Double]) -> [Double] {
        placement.loops.reduce(into: [0, 0, 0]) { $0[$1.value] += loads[$1.key] ?? 0 }
    }

    @Test("Moves even out the load, by load and not by number")
    func evens() {
        let (placement, requests) = crowded(4)
        let loads = [0.4, 0.3, 0.2, 0.1].enumerated().reduce(into: [:]) { $0[Placement.Queue(port: UInt16($1.offset + 1), queue: 0)] = $1.element }
        let moves = placement.balancing(loads, requests, on: loops, gain: 0.05)
        let after = moves.reduce(placement) { $0.after($1) }
        #expect(totals(after, loads).max()! < 0.41)
        #expect(moves == placement.balancing(loads, requests, on: loops, gain: 0.05), "the same loads give the same moves")
        #expect(after.balancing(loads, requests, on: loops, gain: 0.05).isEmpty, "what is balanced stays")
    }

    @Test("A queue that fills its core has nowhere better to go")
    func alone() {
        let (placement, requests) = crowded(1)
        #expect(placement.balancing([Placement.Queue(port: 1, queue: 0): 1], requests, on: loops, gain: 0.01).isEmpty)
    }

    @Test("A small gain moves nothing")
    func hysteresis() {
        let (placement, requests) = crowded(2)
        let loads = [Placement.Queue(port: 1, queue: 0): 0.5, Placement.Queue(port: 2, queue: 0): 0.1]
        #expect(placement.balancing(loads, requests, on: loops, gain: 0.15).isEmpty)
        #expect(placement.balancing(loads, requests, on: loops, gain: 0.05).count == 1)
    }

    @Test("Pinned queues stay, and a paced port's go together")
    func bound() {
        let (placement, _) = crowded(2)
        let loads = [Placement.Queue(port: 1, queue: 0): 0.5, Placement.Queue(port: 2, queue: 0): 0.5]
        let pinned = [Placement.Request(port: 1, queues: 1, cpus: [4]), Placement.Request(port: 2, queues: 1, cpus: [4])]
        #expect(placement.balancing(loads, pinned, on: loops, gain: 0.05).isEmpty)

        let (paced, requests) = crowded(2, together: true, queues: 2)
        let both = (1...2).flatMap { port in (0...1).map { Placement.Queue(port: UInt16(port), queue: $0) } }
        let moves = paced.balancing(Dictionary(uniqueKeysWithValues: both.map { ($0, 0.25) }), requests, on: loops, gain: 0.05)
        #expect(moves.map(\.queues.count) == [2])
    }

    @Test("By itself a queue moves when an imbalance is large and lasts, and then not again for a while")
    func patience() {
        var balancer = Balancer()
        for _ in 1..<Balancer.lasting { #expect(balancer.decides(load: 0.9, hasMoves: true) == false) }
        let passing = balancer.decides(load: 0.2, hasMoves: true)
        #expect(!passing, "a passing load moves nothing")
        for _ in 1..<Balancer.lasting { #expect(balancer.decides(load: 0.9, hasMoves: true) == false) }
        #expect(balancer.decides(load: 0.9, hasMoves: true) == true)
        for _ in 0..<Balancer.rest { #expect(balancer.decides(load: 0.9, hasMoves: true) == false) }
        for _ in 1..<Balancer.lasting { #expect(balancer.decides(load: 0.9, hasMoves: true) == false) }
        #expect(balancer.decides(load: 0.9, hasMoves: true) == true)
        #expect(balancer.decides(load: 0.9, hasMoves: false) == false)
    }
}
