import Scheduler
import Testing

/// Several instances of one tree, each with its own arrivals, on one virtual clock.
final class Cluster {
    let shared: SharedTree
    let instances: [Bench]
    static let start: Nanoseconds = 10 * second
    private let ledger: LeaseLedger

    /// The invariants of each instance are checked once in this many of its polls.
    static let checkInterval = 997

    /// - Parameter now: the time at the start, counted from the boot of the machine.
    init(_ count: Int, root: ClassParameters, now: Nanoseconds = Cluster.start, checkInterval: Int = Cluster.checkInterval) {
        let shared = SharedTree.create(classes: 128)
        self.shared = shared
        instances = (0..<count).map { _ in Bench(root: root, classes: 128, now: now, shared: shared) }
        ledger = LeaseLedger(shared, since: now)
        ledger.note(1)
        // The instances are not all checked in the same poll.
        for (index, instance) in instances.enumerated() { instance.checkInterval = checkInterval + (checkInterval > 1 ? index : 0) }
    }

    deinit {
        let broken = instances.flatMap(\.broken) + instances.flatMap { $0.tree.pointee.brokenInvariants() } + ledger.faults(instances)
        #expect(broken.isEmpty)
        instances.forEach { $0.dispose() }
        SharedTree.destroy(shared)
    }

    func add(_ id: ClassID, under parent: ClassID, _ p: ClassParameters) {
        instances.forEach { $0.add(id, under: parent, p) }
        ledger.note(id)
    }

    /// Changes a class in all instances. Credit that was booked at rates which change is given up, so the ledger starts again.
    func change(_ id: ClassID, _ p: ClassParameters) {
        for instance in instances { _ = instance.tree.pointee.change(id, p, at: instance.now) }
        ledger.forget()
    }
    var now: Nanoseconds { instances[0].now }

    /// All instances poll every `step` nanoseconds, except those that stand still.
    func run(for time: Nanoseconds, step: Nanoseconds = 5_000, without stalled: Set<Int> = []) {
        let end = now + time
        while now < end {
            for (index, instance) in instances.enumerated() {
                if !stalled.contains(index) { instance.drain() }
                instance.advance(to: instance.now + step)
            }
        }
    }

    /// All instances poll every `step` nanoseconds, but each only during its duty: how long it runs in each period, and how far into a period it begins.
    func run(for time: Nanoseconds, step: Nanoseconds, duties: [Duty]) {
        let end = now + time
        while now < end {
            for (index, instance) in instances.enumerated() {
                if duties[index % duties.count].runs(at: instance.now) { instance.drain() }
                instance.advance(to: instance.now + step)
            }
        }
    }

    struct Duty {
        var run: Nanoseconds = 1
        var period: Nanoseconds = 1
        var phase: Nanoseconds = 0
        func runs(at now: Nanoseconds) -> Bool { (now + phase) % period < run }
    }

    /// Lets time pass in which no instance polls.
    func pass(_ time: Nanoseconds) { for instance in instances { instance.advance(to: instance.now + time) } }

    func watch(_ see: @escaping (ScheduledFrame, Nanoseconds) -> Void) { for instance in instances { instance.onSend = see } }
    func bytes(_ id: ClassID) -> UInt64 { instances.reduce(0) { $0 + $1.sentBytes[id, default: 0] } }
    func forget() { instances.forEach { $0.forget() } }
    func rate(_ id: ClassID, over time: Nanoseconds) -> Double { Double(bytes(id)) * 8e9 / Double(time) }
}

/// The documented bounds of leases (see `SharedTree`) in bytes, for a rate in bit/s.
enum LeaseBound {
    /// The largest lease Q: 500 us of the rate, or 11 frames if that is more.
    static func most(_ rate: Double) -> Double { max(rate * 500e-6 / 8, 11 * 1_514) }

    /// The lease for a round of `turns` turns of 1514 bytes each: at least 8 us of the rate for each turn, and never more than `most`.
    static func round(_ rate: Double, turns: Int = 1) -> Double { min(max(rate * 8e-6 / 8, 1_514) * Double(turns), most(rate)) }

    /// The excess N * (Q + F) of N instances.
    static func excess(_ count: Int, _ rate: Double, turns: Int = 1, frame: Double = 1_514) -> Double {
        Double(count) * (round(rate, turns: turns) + frame)
    }

    /// The excess of what all instances together book in order to lend at an inner class with this burst: one round, and what instances that looked late
    /// missed.
    static func shares(_ count: Int, _ rate: Double, burst: Double, frame: Double = 1_514) -> Double {
        max(rate * 64e-6 / 8, 4 * frame) + min(rate * 1e-3 / 8, burst) + Double(count) * 2 * frame
    }

    /// How long a leaf waits for its floor at most: N * (Q + F) / r, in nanoseconds.
    static func wait(_ count: Int, _ rate: Double) -> Nanoseconds { Nanoseconds(excess(count, rate) * 8e9 / rate) }
}
