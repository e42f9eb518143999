import DPDKShim
import Synchronization

/// What changes about a port while it is there, whatever its links are. Its address is the same from the port's creation until a grace period after its removal.
struct PortState: ~Copyable {
    /// Written and read by the one lcore that polls all queues of a paced port.
    fileprivate var pacer = Pacer()
    /// A spanning tree frame came though there is to be none. Set by lcores, cleared by the control thread.
    let hadBPDU = Atomic<Bool>(false)
    /// Written by all poll loops that poll the port, if it has storm control.
    let storms: UnsafeMutablePointer<StormBuckets>

    init() {
        storms = .onOwnLines(1)
        storms.initialize(to: StormBuckets())
    }

    deinit {
        storms.deinitialize(count: 1)
        storms.deallocate()
    }
}

extension PortState {
    /// In its place: it is the first field.
    @inline(__always) @_noLocks
    static func pacer(of port: UnsafeMutablePointer<PortState>) -> UnsafeMutablePointer<Pacer> {
        UnsafeMutableRawPointer(port).assumingMemoryBound(to: Pacer.self)
    }
}
