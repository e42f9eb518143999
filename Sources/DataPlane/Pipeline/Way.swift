import Bridge
import DCB
import DPDKShim
import Packet
import Scheduler

/// Stage 4, for frames of one output: what is the same for all of them. Whatever leaves the switch in a class, to one port or to many, is classified by it.
struct Way {
    var output: PortIndex
    var key: GroupKey
    var hasTree = false
    var port: UnsafeMutablePointer<PortView>
    var tags = false
    /// `PortVLANs.forms`; of a bridge without VLANs nothing.
    var forms: UnsafeMutablePointer<PortVLANs.Form>
    var hasVLANs = false
    /// Where in a record the guest stands by which the tree classifies.
    var guestPlace = 0
    /// `TreeView.guestShift`.
    var guestShift = 0
    /// MTU + 14.
    var longest: UInt32 = 0
    var leaves: UnsafeMutablePointer<ClassID>
    var lines: UnsafeRawPointer

    @inline(__always) @_noLocks
    private init(_ output: PortIndex, _ fate: Fate) {
        self.output = output
        key = GroupKey(fate, output)
        let nothing = UnsafeMutableRawPointer(bitPattern: 64).unsafelyUnwrapped
        port = nothing.assumingMemoryBound(to: PortView.self)
        forms = nothing.assumingMemoryBound(to: PortVLANs.Form.self)
        leaves = nothing.assumingMemoryBound(to: ClassID.self)
        lines = UnsafeRawPointer(nothing)
    }

    @inline(__always) @_noLocks
    init(to output: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
        self.init(output, output == flooded ? .flood : .portDown)
        if output == flooded { return }
        port = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(output)
        guard let link = port.pointee.link, link.pointee.connection.load(ordering: .relaxed) >= 0 else { return }
        let staged = lcore.pointee.outputs + Int(output)
        // Room for the whole burst.
        if staged.pointee.count &+ burstSize > Output.capacity { sendTouched(lcore, snapshot) }
        key = GroupKey(staged.pointee.isParked ? .queue : .pass, way: port.pointee.way)
        hasTree = true
        tags = port.pointee.tags
        if let vlans = port.pointee.vlans {
            hasVLANs = true
            forms = vlans.pointee.forms
        }
        longest = port.pointee.maxFrame
        let view = snapshot.pointee.trees.baseAddress.unsafelyUnwrapped + Int(port.pointee.tree)
        guestPlace = view.pointee.bySource ? FrameRecord.sourceGuestOffset : FrameRecord.destinationGuestOffset
        guestShift = Int(view.pointee.guestShift)
        leaves = view.pointee.leaves.baseAddress.unsafelyUnwrapped
        lines = view.pointee.lines
    }

    /// Finds what becomes of a frame that leaves by this output, (output, guest, protocol) to its leaf, and by how many bytes it grows, modulo 2^32, as its tag
    /// comes or goes.
    ///
    /// - Parameters:
    ///   - run: the frame's place among the runs of its burst, which stands in the key of a frame that has no leaf.
    ///   - tags: `tagging`, or a constant that is the same.
    ///   - hasLeaf: false afterwards if the frame is one that does not leave by the output.
    @inline(__always) @_noLocks
    func classify(
        _ record: UnsafeMutablePointer<FrameRecord>, run: Int, _ tags: Tagging, _ hasLeaf: inout Bool, _ snapshot: UnsafeMutablePointer<Snapshot>
    ) -> (key: GroupKey, growth: UInt32) {
        let guest = UnsafeRawPointer(record).loadUnaligned(fromByteOffset: guestPlace, as: GuestIndex.self)
        let leaf = leaves[Int(guest) &<< guestShift &+ Int(record.pointee.protocolID)]
        sluice_prefetch(lines + Int(leaf) &* 128)
        var found = key.with(leaf: leaf), growth: UInt32 = 0
        if tags == .priority || tags == .vlans && (self.tags || !PortVLANs.keepsTag(record, forms)) {
            guard let tag = tags == .priority ? EgressTag(snapshot.pointee.tagger.egress(record)) : egressAction(record, port, snapshot) else {
                // Learned before the port left the VLAN.
                hasLeaf = false
                return (GroupKey(.vlanNotAllowed, output).with(leaf: UInt16(truncatingIfNeeded: run)), 0)
            }
            found = found.with(tag: tag)
            growth = tag.growth
        }
        if record.pointee.length > longest, isTooLong(record) {
            hasLeaf = false
            return (GroupKey(.exceedsMTU, output).with(leaf: UInt16(truncatingIfNeeded: run)), 0)
        }
        return (found, growth)
    }

    /// What the output does to frames' tags.
    @inline(__always) var tagging: Tagging { @_noLocks get { hasVLANs ? .vlans : tags ? .priority : .none } }

    /// The guest that a flooded frame goes to: whom the port's traffic without a guest belongs to in the frame's VLAN.
    @inline(__always) @_noLocks
    func receiver(_ record: UnsafeMutablePointer<FrameRecord>) -> GuestIndex {
        port.pointee.vlans?.pointee.guests?[Int(PortVLANs.vlan(of: record.pointee.destination))] ?? port.pointee.defaultGuest
    }

    /// Tags do not count.
    @inline(never) @_noLocks
    private func isTooLong(_ record: UnsafeMutablePointer<FrameRecord>) -> Bool {
        record.pointee.length > longest &+ UInt32(HeaderSize.vlanTag) &* UInt32(record.pointee.tagCount)
    }
}

/// What an output does to tags; a constant wherever it is given.
enum Tagging {
    case none, priority, vlans
}

/// What happens to the tag of a frame that leaves by a port of a bridge with or without VLANs; nil: the port is not in its VLAN.
@inline(__always) @_noLocks
func egressAction(
    _ record: UnsafeMutablePointer<FrameRecord>, _ port: UnsafeMutablePointer<PortView>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> EgressTag? {
    guard let vlans = port.pointee.vlans else {
        return port.pointee.tags ? EgressTag(snapshot.pointee.tagger.egress(record)) : EgressTag(rawValue: 0)
    }
    let pcp = port.pointee.tags ? snapshot.pointee.tagger.pcp(row: record.pointee.protocolID) : PriorityTagger.leave
    return vlans.pointee.egress(record, pcp: pcp).map { EgressTag($0) }
}
