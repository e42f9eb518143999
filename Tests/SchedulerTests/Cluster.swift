import Scheduler
import Testing

/// Instances of one tree, each with its own arrivals, on one virtual clock.
final class Cluster {
    let shared: SharedTree
    let instances: [Bench]
    static let start: Nanoseconds = 10 * second
    private let ledger: LeaseLedger

    /// What the lists of every instance promise each other is looked at once in so many of its polls.
    static let checkInterval = 997

    /// - Parameter now: what the clock shows, which counts from when the machine was started.
    init(_ count: Int, root: ClassParameters, now: Nanoseconds = Cluster.start, checkInterval: Int = Cluster.checkInterval) {
        let shared = SharedTree.create(classes: 128)
        self.shared = shared
        instances = (0..<count).map { _ in Bench(root: root, classes: 128, now: now, shared: shared) }
        ledger = LeaseLedger(shared, since: now)
        ledger.note(1)
        // Not all in the same poll.
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

    /// What was booked at rates that change is given up, and is nobody's any more.
    func change(_ id: ClassID, _ p: ClassParameters) {
        for instance in instances { _ = instance.tree.pointee.change(id, p, at: instance.now) }
        ledger.forget()
    }
    var now: Nanoseconds { instances[0].now }

    /// All poll every `step` ns, but those that stand still.
    func run(for time: Nanoseconds, step: Nanoseconds = 5_000, without stalled: Set<Int> = []) {
        let end = now + time
        while now < end {
            for (index, instance) in instances.enumerated() {
                if !stalled.contains(index) { instance.drain() }
                instance.advance(to: instance.now + step)
            }
        }
    }

    /// All poll every `step` ns, but each only while its duty says so: how long it runs in each period, and how far into one it begins.
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

    /// Nobody polls.
    func pass(_ time: Nanoseconds) { for instance in instances { instance.advance(to: instance.now + time) } }

    func watch(_ see: @escaping (ScheduledFrame, Nanoseconds) -> Void) { for instance in instances { instance.onSend = see } }
    func bytes(_ id: ClassID) -> UInt64 { instances.reduce(0) { $0 + $1.sentBytes[id, default: 0] } }
    func forget() { instances.forEach { $0.forget() } }
    func rate(_ id: ClassID, over time: Nanoseconds) -> Double { Double(bytes(id)) * 8e9 / Double(time) }
}

/// The lease Q of the written bounds (`SharedTree`) in bytes, at a rate in bit/s.
enum LeaseBound {
    /// At its most: 500 us of the rate or 11 frames.
    static func most(_ rate: Double) -> Double { max(rate * 500e-6 / 8, 11 * 1_514) }

    /// A round of `turns` turns of 1514 bytes each: at least 8 us of the rate a turn, and never more than `most`.
    static func round(_ rate: Double, turns: Int = 1) -> Double { min(max(rate * 8e-6 / 8, 1_514) * Double(turns), most(rate)) }

    /// N * (Q + F).
    static func excess(_ count: Int, _ rate: Double, turns: Int = 1, frame: Double = 1_514) -> Double {
        Double(count) * (round(rate, turns: turns) + frame)
    }

    /// What is booked to lend at an inner class of this burst, by all instances together: a round, and what those who looked late missed.
    static func shares(_ count: Int, _ rate: Double, burst: Double, frame: Double = 1_514) -> Double {
        max(rate * 64e-6 / 8, 4 * frame) + min(rate * 1e-3 / 8, burst) + Double(count) * 2 * frame
    }

    /// N * (Q + F) / r in ns: how long a leaf waits at most for its floor.
    static func wait(_ count: Int, _ rate: Double) -> Nanoseconds { Nanoseconds(excess(count, rate) * 8e9 / rate) }
}
