import Bridge
import DCB
import DPDKShim
import Packet
import Scheduler

/// Index of a port in every table of the data plane.
typealias PortIndex = UInt16
/// Index of a guest, 1 upwards; 0: none.
typealias GuestIndex = UInt16

/// Most ports of a daemon.
let maxPorts = 1_024
/// Rows of the protocol table, a power of two: row 0 is "everything else".
let protocolRows = 64

/// What forwarding reads, as one lcore sees it: built by the control thread, never changed after it was published, freed a grace period
/// after its successor was.
struct Snapshot {
    /// 1 for the first published, 2 for the next.
    var number: UInt64
    var receiveQueues: UnsafeMutableBufferPointer<ReceiveQueue>
    /// By `PortIndex`.
    var ports: UnsafeMutableBufferPointer<PortView>
    var bridges: UnsafeMutableBufferPointer<BridgeView>
    var trees: UnsafeMutableBufferPointer<TreeView>
    var protocols: ProtocolTable
    /// PCP by protocol row.
    var tagger: PriorityTagger
    /// By `PortIndex`; empty if no port has any.
    var limits = UnsafeMutableBufferPointer<PortLimits>(start: nil, count: 0)

    /// nil: there are none.
    var mirrors: UnsafeMutablePointer<MirrorTables>?

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
        tagger.destroy()
        limits.deallocate()
        mirrors?.pointee.deallocate()
        mirrors?.deallocate()
    }
}

/// A queue that this lcore polls.
struct ReceiveQueue {
    /// What the frame parsed last taught. Written by the lcore. It stands first: `pattern(of:)`.
    var pattern = AdmissionPattern()
    /// The link whose queue it is.
    var link: UnsafeMutablePointer<LinkState>
    var port: PortIndex
    /// Queue pair.
    var queue: UInt16
    /// The same of a `.device`.
    var device = DeviceQueue(device: 0, queue: 0)
    /// `LinkState.ringChanges` when the lcore last looked.
    var seenChanges: UInt32 = 0
    /// Frames to ask for: about what the last poll found.
    var expected = leastPoll
    /// Cycles from polling to enqueueing in turns that found frames; one turn in eight is measured and counts for eight. Written by the lcore.
    var cycles: UInt64 = 0
    /// When it was last looked at, if its port is paced; 0: not yet.
    var lookedAt: Nanoseconds = 0
    /// Frames of the port that this lcore had received when it last asked the device to be woken.
    var framesWhenAsked: UInt64 = 0
}

extension ReceiveQueue {
    /// In the place, for what reads and writes it for every frame.
    @inline(__always) @_noLocks
    static func pattern(of queue: UnsafeMutablePointer<ReceiveQueue>) -> UnsafeMutablePointer<AdmissionPattern> {
        UnsafeMutableRawPointer(queue).assumingMemoryBound(to: AdmissionPattern.self)
    }
}

/// Fewest frames asked of a guest's ring: librte_vhost takes as many buffers from the pool as it is asked for frames, and gives back those
/// that it finds no use for, so that asking an idle ring for a whole burst costs more than a few frames do.
let leastPoll = 4

struct PortView {
    /// The link that frames leave by; nil: no such port.
    var link: UnsafeMutablePointer<LinkState>?
    var bridge: UInt16 = 0
    /// The guest that traffic of the port's unlisted addresses belongs to.
    var defaultGuest: GuestIndex = 0
    /// The tree, in `Snapshot.trees`, that schedules what leaves by this port.
    var tree: UInt16 = 0
    var isPhysical = false
    var spoofCheck = false
    /// Priority tags are pushed on the way out. Never by the device: what the offload asks of the sender differs between drivers, and where it is not
    /// met frames leave untagged and unseen (virtio's wants rte_eth_tx_prepare, the 82574 tags only while it strips what it receives).
    var tags = false
    var flags = PortFlags.none
    /// nil: the port's bridge has no VLANs.
    var vlans: UnsafeMutablePointer<PortVLANs>?
    /// Filters of what leaves by it; nil: none. With them, `way` has `Fate.filter`.
    var inbound: UnsafeMutablePointer<FilterView>?
    /// What is done with what comes in; nil: nothing.
    var ingress: UnsafeMutablePointer<IngressView>?
    /// Longest frame without tags, bytes: MTU + 14.
    var maxFrame: UInt32 = 0
    /// What its link wants of every frame, beside the output, and whether frames are filtered, or told by their classes, on their way there: where `GroupKey` has both.
    var way: UInt64 = 0

    @inline(__always) var wants: EgressTag { @_noLocks get { GroupKey(rawValue: way).tag } }
}

struct BridgeView {
    var fdb: ForwardingDatabase
    /// Whose configured addresses are; asked where the database has something to learn.
    var owners: AddressOwners
    /// The ports frames are flooded to; where there are VLANs, see `sets`.
    var members: UnsafeMutableBufferPointer<PortIndex>
    /// nil: the bridge has no VLANs. Not the snapshot's own.
    var sets: FloodSets?
    /// Where the bridge follows groups. Not the snapshot's own.
    var groups: UnsafeMutablePointer<GroupSlot>?
    /// Bytes of a frame without tags that no port finds too long.
    var fitsAll: UInt32
    /// Where ports' frames go by the uplink wherever they are for: that, and the one port that all from there is for; `flooded`: there is none.
    var uplink: PortIndex = flooded
    var through: PortIndex = flooded
}

struct TreeView {
    /// This lcore's instance.
    var tree: UnsafeMutablePointer<ClassTree>
    /// Classified by the source's guest (outbound) instead of the destination's (inbound).
    var bySource: Bool
    /// Leaf by guest and protocol: `guest << guestShift + protocol`; 0, which is no leaf, for a guest that the tree does not know.
    var leaves: UnsafeMutableBufferPointer<ClassID>
    /// Only as wide as the protocols' rows need: with many guests what is read of this table would otherwise fill much of a cache.
    var guestShift: UInt64
    /// The line that the tree looks at first of each class, 128 bytes from one to the next: to be fetched.
    var lines: UnsafeRawPointer

    @inline(__always) @_noLocks
    func leaf(guest: GuestIndex, protocolID: UInt8) -> ClassID {
        leaves[unchecked: Int(guest) &<< Int(guestShift) &+ Int(protocolID)]
    }
}

extension UnsafeMutableBufferPointer {
    /// The element without a bounds check: the index comes from a table built together with this one.
    @inline(__always)
    subscript(unchecked index: Int) -> Element {
        get { baseAddress.unsafelyUnwrapped[index] }
        nonmutating set { baseAddress.unsafelyUnwrapped[index] = newValue }
    }
}
