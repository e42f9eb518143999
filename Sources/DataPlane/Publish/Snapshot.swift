import Bridge
import DCB
import DPDKShim
import Packet
import Scheduler

/// The index of a port, which is the same in every table of the data plane.
typealias PortIndex = UInt16
/// The index of a guest, beginning with 1; 0: no guest.
typealias GuestIndex = UInt16

/// One more than the most ports of a daemon (`Model.mostPorts`); port indices are below it.
let maxPorts = 1_024
/// The number of rows of the protocol table, a power of two. Row 0 is for frames that no row matches.
let protocolRows = 64

/// The configuration as it is published to one lcore: everything that forwarding reads. The control thread builds it and never changes it after it is
/// published; it frees it a grace period after its successor was published.
struct Snapshot {
    /// The number of this snapshot: 1 for the first that was published, 2 for the next.
    var number: UInt64
    var receiveQueues: UnsafeMutableBufferPointer<ReceiveQueue>
    /// The ports, by `PortIndex`.
    var ports: UnsafeMutableBufferPointer<PortView>
    var bridges: UnsafeMutableBufferPointer<BridgeView>
    var trees: UnsafeMutableBufferPointer<TreeView>
    var protocols: ProtocolTable
    /// The PCP of each protocol row: one table for all ports, and one for each port with application priorities of its own. `PortView.tagger` is one of them.
    var taggers: UnsafeMutableBufferPointer<PriorityTagger>
    /// Limits of ports, by `PortIndex`; empty if no port has any.
    var limits = UnsafeMutableBufferPointer<PortLimits>(start: nil, count: 0)

    /// The tables of mirrors; nil if there are no mirrors.
    var mirrors: UnsafeMutablePointer<MirrorTables>?
    /// The tables of captures; nil if there are none.
    var captures: UnsafeMutablePointer<CaptureTables>?
    /// The ports whose priorities can be paused; empty if there are none.
    var pauses = UnsafeMutableBufferPointer<PauseView>(start: nil, count: 0)
    /// How frames say their priority at ports that are trusted, by `PortIndex`; empty if there are none.
    var trusts = UnsafeMutableBufferPointer<TrustView>(start: nil, count: 0)

    func deallocate() {
        receiveQueues.deallocate()
        for port in ports {
            port.vlans?.pointee.destroy()
            port.vlans?.deallocate()
            port.inbound?.deallocate()
            port.ingress?.pointee.filters?.deallocate()
            port.ingress?.deallocate()
        }
        ports.deallocate()
        for bridge in bridges { bridge.members.deallocate() }
        bridges.deallocate()
        for tree in trees { tree.leaves.deallocate() }
        trees.deallocate()
        for tagger in taggers { tagger.destroy() }
        taggers.deallocate()
        limits.deallocate()
        pauses.deallocate()
        captures?.pointee.deallocate()
        captures?.deinitialize(count: 1)
        captures?.deallocate()
        trusts.deallocate()
        mirrors?.pointee.deallocate()
        mirrors?.deallocate()
    }
}

/// A receive queue that this lcore polls.
struct ReceiveQueue {
    /// What was learned from the frame that was parsed last, written by the lcore. It must be the first field; see `pattern(of:)`.
    var pattern = AdmissionPattern()
    /// The link whose queue it is.
    var link: UnsafeMutablePointer<LinkState>
    var port: PortIndex
    /// The number of the queue in the port.
    var queue: UInt16
    /// `.vhost`: the queue pairs of the guest that are polled as this queue, as bits, and the one that was polled last.
    var pairs: UInt64
    var pair: Int
    /// For a `.device`, the device's own queue pair.
    var device: DeviceQueue
    /// The value of `LinkState.ringChanges` when the lcore last looked.
    var seenChanges: UInt32 = 0
    /// How many frames to ask for in the next poll: about as many as the last one found.
    var expected = leastPoll
    /// Cycles from polling to enqueueing, in turns that found frames. One turn in eight is measured, and counts eightfold, or every turn while the loop's time is
    /// divided. Written by the lcore.
    var cycles: UInt64 = 0
    /// Why the queue is not read at present, if its frames would be lost.
    var hold = RingHold()
    /// When the queue was last looked at, if its port is paced; 0: it has not been yet.
    var lookedAt: Nanoseconds = 0
    /// How many frames of the port this lcore had received when it last asked the device for an interrupt.
    var framesWhenAsked: UInt64 = 0

    /// - Parameter queues: how many queues the port has. A guest may use more queue pairs; they are dealt out to the queues in turn.
    init(link: UnsafeMutablePointer<LinkState>, port: PortIndex, queue: UInt16, of queues: Int = maxQueuePairs, device: DeviceQueue = DeviceQueue(device: 0, queue: 0)) {
        self.link = link
        self.port = port
        self.queue = queue
        self.device = device
        pair = Int(queue)
        pairs = Self.pairs(of: pair, of: queues)
    }

    /// The queue pairs of a guest that are polled as one of its port's queues, as bits.
    static func pairs(of queue: Int, of queues: Int) -> UInt64 {
        stride(from: queue, to: maxQueuePairs, by: max(queues, 1)).reduce(0) { $0 | 1 << UInt64($1) }
    }
}

extension ReceiveQueue {
    /// A pointer to the pattern in place, for code that reads and writes it for every frame.
    @inline(__always) @_noLocks
    static func pattern(of queue: UnsafeMutablePointer<ReceiveQueue>) -> UnsafeMutablePointer<AdmissionPattern> {
        UnsafeMutableRawPointer(queue).assumingMemoryBound(to: AdmissionPattern.self)
    }
}

/// The fewest frames that are asked of a guest's ring. A packed ring does not tell how many there are, so as many buffers are taken from the pool as frames are
/// asked for, and those that are not needed go back: asking an idle ring for a whole burst costs more than asking for a few frames.
let leastPoll = 4

/// A port as poll loops see it. It fills a cache line, no more.
struct PortView {
    /// The link that frames leave by; nil: there is no such port.
    var link: UnsafeMutablePointer<LinkState>?
    var bridge: UInt16 = 0
    /// The guest that the port's traffic belongs to if its address is not configured.
    var defaultGuest: GuestIndex = 0
    /// The tree that schedules what leaves by this port, as an index in `Snapshot.trees`.
    var tree: UInt16 = 0
    var isPhysical = false
    var spoofCheck = false
    var flags = PortFlags.none
    /// Bytes of the longest frame without tags: MTU + 14.
    var maxFrame: UInt32 = 0
    /// The PCP of each protocol row, for priority tags that are pushed on frames that leave; nil: none are. The snapshot owns it. The device is never asked to
    /// push them: what this offload demands of the sender differs between drivers, and where a demand is not met, frames silently leave without a tag (virtio's
    /// driver wants rte_eth_tx_prepare; the 82574 tags only while it strips tags from what it receives).
    var tagger: PriorityTagger?
    /// What VLANs the port lets in and tags; nil if the port's bridge has no VLANs.
    var vlans: UnsafeMutablePointer<PortVLANs>?
    /// The filters of frames that leave by the port; nil: none. If there are some, `way` has `Fate.filter`.
    var inbound: UnsafeMutablePointer<FilterView>?
    /// What is done with frames that come in by the port; nil: nothing.
    var ingress: UnsafeMutablePointer<IngressView>?
    /// The part of a frame's `GroupKey` that depends on the output port alone: its index, whether frames are filtered or examined by class for mirrors on their
    /// way there, and what its link wants of every frame.
    var way: UInt64 = 0

    /// Whether frames leave with priorities.
    @inline(__always) var tags: Bool { @_noLocks get { tagger != nil } }
    @inline(__always) var wants: EgressTag { @_noLocks get { GroupKey(rawValue: way).tag } }
}

/// A bridge as poll loops see it.
struct BridgeView {
    var fdb: ForwardingDatabase
    /// The owners of configured addresses, which are asked when the database has something to learn.
    var owners: AddressOwners
    /// The ports to which frames are flooded; on a bridge with VLANs, `sets` is used instead.
    var members: UnsafeMutableBufferPointer<PortIndex>
    /// nil: the bridge has no VLANs. The snapshot does not own it.
    var sets: FloodSets?
    /// The bridge's group table, if it follows groups; nil otherwise. The snapshot does not own it.
    var groups: UnsafeMutablePointer<GroupSlot>?
    /// Bytes of a frame without tags that is not too long for any port of the bridge.
    var fitsAll: UInt32
    /// If some port's frames all take the uplink: that uplink, and the port that gets all frames from the uplink (`passthru`). `flooded`: there is none.
    var uplink: PortIndex = flooded
    var through: PortIndex = flooded
}

/// A scheduling tree as one poll loop sees it.
struct TreeView {
    /// This lcore's instance of the tree.
    var tree: UnsafeMutablePointer<ClassTree>
    /// Whether frames are classified by the guest of the source address (outbound) instead of the destination's (inbound).
    var bySource: Bool
    /// The leaf for each guest and protocol, at `guest << guestShift + protocol`. 0, which is no leaf: the tree has no class for the guest.
    var leaves: UnsafeMutableBufferPointer<ClassID>
    /// The number of bits for protocols in that index. It is no larger than the rows in use require, because with many guests the parts of this table that are
    /// read would otherwise fill much of a cache.
    var guestShift: UInt64
    /// The cache line of each class that the tree reads first, at a distance of 128 bytes from one to the next, so that it can be prefetched.
    var lines: UnsafeRawPointer

    @inline(__always) @_noLocks
    func leaf(guest: GuestIndex, protocolID: UInt8) -> ClassID {
        leaves[unchecked: Int(guest) &<< Int(guestShift) &+ Int(protocolID)]
    }
}

extension UnsafeMutableBufferPointer {
    /// The element at an index, without a bounds check: the index comes from a table that was built together with this one.
    @inline(__always)
    subscript(unchecked index: Int) -> Element {
        get { baseAddress.unsafelyUnwrapped[index] }
        nonmutating set { baseAddress.unsafelyUnwrapped[index] = newValue }
    }
}
