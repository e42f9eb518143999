import DCB
import DPDKShim
import Scheduler
import Synchronization

/// What a physical port asks the switch at the other end to pause. Any loop in which a queue of a lossless class is long counts itself in; one of them sends.
struct PauseRequests: ~Copyable {
    /// Which port this is. No other has, or has had, the same number.
    let serial: UInt64
    /// For each priority, how many loops want it paused: eight numbers of eight bits. (There are never 256 loops.)
    private let wanting = Atomic<UInt64>(0)
    /// For each priority, at which lengths of a queue the other end is told to stop and to go on. Written by the control thread.
    private let thresholds: UnsafeMutablePointer<Threshold>
    /// Whether pauses are by priority, and not of the whole link. Written by the control thread.
    let isByPriority = Atomic<Bool>(true)
    /// The port's address, the source of the frames. Written by the control thread.
    let address = Atomic<UInt64>(0)
    /// How many queues were given up, as nothing left them for too long.
    let givenUp = Atomic<UInt64>(0)

    private let lock = SequenceLock()
    private let sender: UnsafeMutablePointer<PauseSender>

    private struct Threshold: ~Copyable {
        /// `xoff` in the upper half, `xon` in the lower one.
        let both = Atomic<UInt64>(0)
    }

    init() {
        serial = Self.ports.add(1, ordering: .relaxed).newValue
        thresholds = .onOwnLines(8)
        for index in 0..<8 { (thresholds + index).initialize(to: Threshold()) }
        sender = .onOwnLines(1)
        sender.initialize(to: PauseSender())
    }

    deinit {
        thresholds.deallocate()
        sender.deallocate()
    }

    private static let ports = Atomic<UInt64>(0)

    func set(_ buffer: LosslessBuffer, for priority: Int) {
        let both = UInt64(UInt32(clamping: buffer.xoff)) << 32 | UInt64(UInt32(clamping: buffer.xon))
        if thresholds[priority].both.load(ordering: .relaxed) != both { thresholds[priority].both.store(both, ordering: .relaxed) }
    }

    @_noLocks
    func threshold(of priority: UInt8) -> (xoff: UInt32, xon: UInt32) {
        let both = thresholds[Int(priority & 7)].both.load(ordering: .relaxed)
        return (UInt32(truncatingIfNeeded: both &>> 32), UInt32(truncatingIfNeeded: both))
    }

    /// Counts a loop in or out for the priorities in which `new` differs from `old`, which is what the loop wanted before.
    @_noLocks
    func count(_ old: UInt8, _ new: UInt8) {
        var change: UInt64 = 0
        for index in 0..<8 {
            let one: UInt64 = 1 &<< UInt64(truncatingIfNeeded: 8 &* index), bit: UInt8 = 1 &<< UInt8(truncatingIfNeeded: index)
            if new & ~old & bit != 0 { change &+= one } else if old & ~new & bit != 0 { change &-= one }
        }
        if change != 0 { wanting.wrappingAdd(change, ordering: .relaxed) }
    }

    /// The priorities that some loop wants paused, a bit for each.
    private var wanted: UInt8 {
        @_noLocks get {
            let all = wanting.load(ordering: .relaxed)
            var bits: UInt8 = 0
            for index in 0..<8 where (all &>> UInt64(truncatingIfNeeded: 8 &* index)) & 0xff != 0 { bits |= 1 &<< UInt8(truncatingIfNeeded: index) }
            return bits
        }
    }

    /// Sends what has to be sent now.
    ///
    /// - Parameter send: sends a frame; false: it could not.
    /// - Returns: when this has to be called next; `.max`: not before something else is wanted.
    @inline(__always) @_noLocks
    func follow(speed: UInt32, at now: Nanoseconds, _ send: (PauseFrame) -> Bool) -> Nanoseconds {
        if !lock.take() { return now }
        defer { lock.release() }
        let wanted = wanted
        // At most two frames: one that makes a break, and one that ends it.
        for _ in 0..<2 {
            if !sender.pointee.isDue(wanted, at: now) { break }
            var next = sender.pointee
            let frame = next.ask(wanted, isByPriority: isByPriority.load(ordering: .relaxed), speed: speed, at: now)
            if !send(frame) { return now }
            lock.beginWriting()
            sender.pointee = next
            lock.endWriting()
        }
        return sender.pointee.due
    }

    /// What was sent so far.
    var sent: PauseSender { lock.copy(of: sender) }
}
