import DCB
import DPDKShim
import Scheduler
import Synchronization

/// The pauses of a physical port (IEEE 802.1Qbb): any loop that receives a frame that asks for one writes them, and all loops read until when each priority is
/// paused.
struct PortPauses: ~Copyable {
    /// Grows whenever one of `until` changes.
    let changes = Atomic<UInt32>(0)
    /// For each priority, until when it is paused.
    private let until: UnsafeMutablePointer<SharedTime>
    /// Whether pauses are followed; the priorities that may be paused, a bit for each; and the link's speed in Mbit/s. Written by the control thread.
    let isFollowed = Atomic<Bool>(false)
    let enabled = Atomic<UInt8>(0)
    let speed = Atomic<UInt32>(10_000)

    private let lock = SequenceLock()
    private let receiver: UnsafeMutablePointer<PauseReceiver>
    /// The pauses that this switch asks for.
    let requests: UnsafeMutablePointer<PauseRequests>

    struct SharedTime: ~Copyable {
        let end = Atomic<UInt64>(0)
    }

    init() {
        until = .onOwnLines(8)
        for index in 0..<8 { (until + index).initialize(to: SharedTime()) }
        receiver = .onOwnLines(1)
        receiver.initialize(to: PauseReceiver())
        requests = .onOwnLines(1)
        requests.initialize(to: PauseRequests())
    }

    deinit {
        until.deallocate()
        receiver.deallocate()
        requests.deinitialize(count: 1)
        requests.deallocate()
    }

    /// Takes a frame that asks for a pause. If another loop is doing so at that moment, which only happens if the port's pause frames come in by several
    /// queues, the frame has no effect; whoever wants a pause asks again before it ends.
    @_noLocks
    func receive(_ frame: PauseFrame, at now: Nanoseconds) {
        if !isFollowed.load(ordering: .relaxed) || !lock.take() { return }
        lock.beginWriting()
        receiver.pointee.receive(frame, enabled: enabled.load(ordering: .relaxed), speed: speed.load(ordering: .relaxed), at: now)
        lock.endWriting()
        publish()
        lock.release()
    }

    /// What has happened until `now`.
    func seen(at now: Nanoseconds) -> PauseReceiver {
        var found = lock.copy(of: receiver)
        found.watch(at: now)
        return found
    }

    @_noLocks
    private func publish() {
        var hasChanged = false
        for index in 0..<8 {
            let end = receiver.pointee.until[index]
            if until[index].end.load(ordering: .relaxed) == end { continue }
            until[index].end.store(end, ordering: .relaxed)
            hasChanged = true
        }
        if hasChanged { changes.add(1, ordering: .releasing) }
    }

    /// The priorities that are paused at `now`, a bit for each, and when the first of these pauses ends.
    @_noLocks
    func paused(at now: Nanoseconds) -> (priorities: UInt8, end: Nanoseconds) {
        var priorities: UInt8 = 0, first = Nanoseconds.max
        for index in 0..<8 {
            let end = until[index].end.load(ordering: .relaxed)
            if end <= now { continue }
            priorities |= 1 &<< UInt8(truncatingIfNeeded: index)
            first = min(first, end)
        }
        return (priorities, first)
    }
}

/// A port whose priorities can be paused, as one poll loop sees it.
struct PauseView {
    var port: PortIndex
    /// This loop's instance of the port's tree.
    var tree: UnsafeMutablePointer<ClassTree>
    var pauses: UnsafeMutablePointer<PortPauses>
    // Written by the loop: the value of `changes` when it last looked (at first it has not), and when a pause ends.
    var seen: UInt32
    var end: Nanoseconds = 0
    /// The rows of the protocol table whose frames must not be lost, a bit for each.
    var rows: UInt64 = 0
    // Written by the loop: the priorities that its long queues want the peer to pause, and when it has to tell the peer next.
    var wanted: UInt8 = 0
    var nextAsk = Nanoseconds.max
}

/// Has the leaves of paused priorities wait, and those of others go on; what is staged with paused priorities is withheld. It is called at the start of a turn
/// and whenever frames are about to leave.
@inline(never) @_noLocks
func followPauses(_ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    let views = snapshot.pointee.pauses, now = lcore.pointee.now
    for index in 0..<views.count {
        let view = views.baseAddress.unsafelyUnwrapped + index
        let changes = view.pointee.pauses.pointee.changes.load(ordering: .acquiring)
        if changes == view.pointee.seen, now < view.pointee.end { continue }
        view.pointee.seen = changes
        let (priorities, end) = view.pointee.pauses.pointee.paused(at: now)
        withhold(priorities, from: view.pointee.port, lcore)
        let late = giveBack(~priorities, to: view.pointee.port, lcore, snapshot)
        view.pointee.end = late == 0 ? end : now
        view.pointee.tree.pointee.pause(priorities | late, of: view.pointee.port)
    }
    if lcore.pointee.withholdingCount != 0 { giveBackUnpausable(lcore, snapshot) }
}

/// Takes a MAC control frame that came in by a physical port. The pause begins before anything else leaves in this turn.
@inline(never) @_noLocks
func notePause(_ frame: Frame, _ port: UnsafeMutablePointer<PortView>, _ lcore: UnsafeMutablePointer<Lcore>) {
    guard let link = port.pointee.link, let bytes = sluice_frame_bytes(frame), let pause = PauseFrame(bytes, count: Int(sluice_frame_contiguous(frame)))
    else { return }
    link.pointee.port.pointee.pauses.pointee.receive(pause, at: lcore.pointee.now)
}
