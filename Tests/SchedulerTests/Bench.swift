import Scheduler

/// A test bench for one tree: greedy leaves and single offers in virtual time, with records of what the tree sent.
final class Bench {
    let tree: UnsafeMutablePointer<ClassTree>
    let outputs: Int
    private(set) var now: Nanoseconds
    /// Bytes and frames that left on the wire, by leaf.
    private(set) var sentBytes = Tally()
    private(set) var sentFrames = Tally()
    /// The frame length of each leaf that always has frames to send.
    var greedy: [ClassID: UInt32] = [:] { didSet { offers = greedy.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } } }
    /// Leaves that always have frames to send, whose lengths are these in turn.
    var greedyOfMixed: [ClassID: [UInt32]] = [:]
    private var offers: [(leaf: ClassID, length: UInt32)] = []
    /// Called for every frame that leaves, with the time at which it left.
    var onSend: ((ScheduledFrame, Nanoseconds) -> Void)?
    /// Called for every frame that the tree dropped after it had accepted it.
    var onDrop: ((DroppedFrame) -> Void)?
    var accepted = 0, delivered = 0, dropped = 0
    /// The numbers, within their leaves, of frames that the tree dropped after it had accepted them.
    var droppedNumbers: [UInt32] = []
    /// Frames are numbered within their leaf from 1. These are the last number that went in and the last that came out.
    private var lastIn = Tally()
    private var lastOut = Tally()
    /// The number of frames each leaf holds, counted here. For a removed leaf it includes the frames that it lost.
    private var held = Tally()
    var outOfOrder = 0
    /// The tree's invariants are checked once in this many calls of `drain`; 0: never.
    var checkInterval = 0
    private var calls = 0
    /// The broken invariants, as they were when one was first found broken.
    private(set) var broken: [String] = []
    /// Frames that the tree drops leave gaps in the numbers; if this is set, only the order is checked.
    var gapsAllowed = false
    private let into = UnsafeMutablePointer<ScheduledFrame>.allocate(capacity: 64)
    private let freed = UnsafeMutablePointer<DroppedFrame>.allocate(capacity: 64)

    init(
        root: ClassParameters = ClassParameters(), classes: Int = 65_536, frames: Int = 65_536, outputs: Int = 1, overhead: Int = 0,
        now: Nanoseconds = 0, shared: SharedTree? = nil
    ) {
        tree = ClassTree.create(
            root: root, classes: classes, frames: frames, outputs: outputs, overhead: overhead, now: now, shared: shared)
        self.outputs = outputs
        self.now = now
    }

    private var disposed = false

    /// Frees the tree. Must be called before the shared part of the tree is freed.
    func dispose() {
        if !disposed { ClassTree.destroy(tree) }
        disposed = true
    }

    deinit {
        dispose()
        into.deallocate()
        freed.deallocate()
    }

    @discardableResult
    func add(_ id: ClassID, under parent: ClassID, _ p: ClassParameters) -> ChangeVerdict {
        if p.queuesFlows { tree.pointee.grantFlows(to: id) }
        return tree.pointee.add(id, under: parent, p, at: now)
    }

    @discardableResult
    func offer(_ leaf: ClassID, _ bytes: UInt32, frames: UInt32 = 1, flow: UInt32 = 0) -> EnqueueVerdict {
        let number = UInt32(lastIn[leaf, default: 0] + 1)
        let charge = Charge(bytes: bytes, frames: frames)!
        let verdict = tree.pointee.enqueue(UnsafeMutableRawPointer(bitPattern: Int(number))!, charge: charge, tag: number, flow: flow, to: leaf, at: now)
        if verdict == .queued {
            lastIn.add(leaf, 1)
            held.add(leaf, 1)
            accepted += 1
        }
        return verdict
    }

    /// Sends the frames that may leave now, and returns their number.
    @discardableResult
    func drain(limit: Int = .max, burst: Int = 32) -> Int {
        var total = 0
        while total < limit {
            for (leaf, length) in offers {
                while held[leaf, default: 0] < 64, offer(leaf, length) == .queued {}
            }
            for (leaf, lengths) in greedyOfMixed {
                while held[leaf, default: 0] < 64, offer(leaf, lengths[Int(lastIn[leaf, default: 0]) % lengths.count]) == .queued {}
            }
            let count = tree.pointee.dequeue(into: into, limit: min(burst, limit - total), at: now)
            tree.pointee.countDelays(of: into, count: count, at: now)
            for frame in UnsafeBufferPointer(start: into, count: count) { note(frame) }
            total += count
            if count == 0 { break }
        }
        checkInvariants()
        return total
    }

    private func checkInvariants() {
        calls += 1
        if checkInterval != 0, broken.isEmpty, calls % checkInterval == 0 { broken = tree.pointee.brokenInvariants().map { "at \(now): \($0)" } }
    }

    private func note(_ frame: ScheduledFrame) {
        delivered += 1
        sentBytes.add(frame.leaf, UInt64(frame.charge.bytes))
        sentFrames.add(frame.leaf, UInt64(frame.charge.frames))
        if held[frame.leaf, default: 0] > 0 { held.add(frame.leaf, .max) }
        let last = lastOut[frame.leaf, default: 0], number = UInt64(frame.tag)
        if gapsAllowed ? number <= last : number != last + 1 { outOfOrder += 1 }
        lastOut.add(frame.leaf, number &- last)
        onSend?(frame, now)
    }

    func collectDropped() {
        while true {
            let count = tree.pointee.takeDropped(into: freed, limit: 64)
            dropped += count
            for frame in UnsafeBufferPointer(start: freed, count: count) {
                droppedNumbers.append(UInt32(UInt(bitPattern: frame.handle)))
                onDrop?(frame)
            }
            if count == 0 { return }
        }
    }

    func advance(to time: Nanoseconds) { now = max(now, time) }

    /// Runs until `end`. The tree is polled exactly when it asks for it, or every `step` nanoseconds.
    func run(until end: Nanoseconds, step: Nanoseconds = 0) {
        while true {
            drain()
            if now >= end { return }
            let next = step == 0 ? tree.pointee.nextEvent(at: now) : now + step
            if next >= end { now = end } else { now = max(next, now + 1) }
        }
    }

    func rate(_ leaf: ClassID, over time: Nanoseconds) -> Double { Double(sentBytes[leaf, default: 0]) * 8e9 / Double(time) }
    func forget() { sentBytes = Tally(); sentFrames = Tally() }
}

let second: Nanoseconds = 1_000_000_000
let millisecond: Nanoseconds = 1_000_000

extension ClassParameters {
    /// Class parameters with short names; rates are in Mbit/s.
    static func mbit(
        _ floor: UInt64, ceil: UInt64? = nil, priority: UInt8 = 3, quantum: UInt32 = 1_514, burst: UInt64 = 3_028,
        ceilingBurst: UInt64 = 3_028, output: UInt16 = 0
    ) -> ClassParameters {
        ClassParameters(
            floor: floor * 1_000_000, ceiling: ceil.map { $0 * 1_000_000 } ?? .max, burst: burst, ceilingBurst: ceilingBurst,
            priority: priority, quantum: quantum, output: output)
    }
}

/// Measures the most that left above a rate in any window, in bytes or frames: the amount sent by some time, less what the rate allowed by then, never rises
/// above an earlier value of this difference by more than that.
final class Excess {
    private(set) var worst = 0.0
    private(set) var total = 0.0
    private var least = 0.0
    private let perSecond: Double
    private let start: Nanoseconds

    init(above perSecond: Double, from start: Nanoseconds = 0) {
        self.perSecond = perSecond
        self.start = start
    }

    func note(_ units: UInt64, at now: Nanoseconds) {
        let line = Double(now - start) * perSecond / 1e9
        least = min(least, total - line)
        total += Double(units)
        worst = max(worst, total - line - least)
    }
}

func near(_ a: Double, _ b: Double, within: Double) -> Bool { abs(a - b) <= within * abs(b) }

/// A number for each class.
struct Tally {
    private var values: [UInt64] = []

    subscript(_ id: ClassID) -> UInt64? {
        let value = self[id, default: 0]
        return value == 0 ? nil : value
    }

    subscript(_ id: ClassID, default other: UInt64) -> UInt64 { Int(id) < values.count ? values[Int(id)] : other }

    mutating func add(_ id: ClassID, _ more: UInt64) {
        if Int(id) >= values.count { values += Array(repeating: 0, count: Int(id) + 1 - values.count) }
        values[Int(id)] &+= more
    }
}
