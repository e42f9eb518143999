import DPDKShim
import Synchronization

/// What changes about a port while it exists, whatever link it has. It stays at the same address until a grace period after the port's removal.
struct PortState: ~Copyable {
    /// The pacer, which is used only by the lcore that polls all queues of a paced port.
    fileprivate var pacer = Pacer()
    /// Whether a spanning tree frame has come in although the port is set to `guard`. Set by lcores, cleared by the control thread.
    let hadBPDU = Atomic<Bool>(false)
    /// What a cycle of a poll loop costs the port, if the loop's time is divided; see `PollShares.price`. Set by the control thread.
    let pollPrice = Atomic<UInt64>(PollShares.leastPrice)
    /// The token buckets of storm control, written by all poll loops that poll the port.
    let storms: UnsafeMutablePointer<StormBuckets>
    /// The pauses that the switch at the other end asks for.
    let pauses: UnsafeMutablePointer<PortPauses>

    init() {
        storms = .onOwnLines(1)
        storms.initialize(to: StormBuckets())
        pauses = .onOwnLines(1)
        pauses.initialize(to: PortPauses())
    }

    deinit {
        storms.deinitialize(count: 1)
        storms.deallocate()
        pauses.deinitialize(count: 1)
        pauses.deallocate()
    }
}

extension PortState {
    static func pauses(of port: UnsafeMutablePointer<PortState>) -> UnsafeMutablePointer<PortPauses> { port.pointee.pauses }

    /// The pacer in its place, which is at the start, as it is the first field.
    @inline(__always) @_noLocks
    static func pacer(of port: UnsafeMutablePointer<PortState>) -> UnsafeMutablePointer<Pacer> {
        UnsafeMutableRawPointer(port).assumingMemoryBound(to: Pacer.self)
    }
}
