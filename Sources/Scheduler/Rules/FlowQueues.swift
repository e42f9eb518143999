/// The queues of one leaf by flow (RFC 8290), 1 024 of them: what CoDel and fair queuing need to know of each, and the lists of those that have a turn.
/// 58 KiB, had from the kernel and given back by `ClassTree.grantFlows` and `reclaimFlows`, never by the loop. Zeros are the state of a leaf without frames.
///
/// All lists are of numbers from 1 on; 0 is none.
struct FlowQueues {
    private let memory: ZeroedMemory

    init() { memory = ZeroedMemory(byteCount: Self.byteCount) }

    func deallocate() { memory.deallocate() }

    /// Bytes a turn: one largest Ethernet frame.
    @inline(__always) static var quantum: Int32 { @_noLocks get { 1_514 } }
    @inline(__always) static var count: UInt32 { @_noLocks get { 1_024 } }
    /// Holds what the leaf had queued when it got its flows, until that has left: none of it may be overtaken by the flow it is of.
    @inline(__always) static var inherited: UInt16 { @_noLocks get { 1_025 } }

    static var byteCount: Int { firstFlow + (Int(inherited) + 1) * MemoryLayout<Flow>.stride }
    @inline(__always) private static var heads: Int { @_noLocks get { 64 } }
    @inline(__always) private static var firstFlow: Int { @_noLocks get { 256 } }

    /// What is known of all flows.
    struct Lists {
        /// Flows with frames since a short while, and the others, in the order of their turns.
        var newHead: UInt16, newTail: UInt16
        var oldHead: UInt16, oldTail: UInt16
        /// Their lengths.
        var new: UInt32, old: UInt32
        /// Times the leaf became empty. What a flow says of lists and sizes holds only if it says so of the same number: then all are as new.
        var epoch: UInt32
        /// Bit per size (`Flow.size`) that some flow has.
        var sizes: UInt64
    }

    struct Flow {
        var queue: FrameQueue
        /// Bytes left of its turn; negative or 0: owed.
        var deficit: Int32
        var control: CoDel
        var epoch: UInt32
        /// The next in its list.
        var next: UInt16
        /// Its neighbours among flows of its size.
        var larger: UInt16, smaller: UInt16
        /// The place of its bytes on a scale of two steps for each power of two; 0: it has none.
        var size: UInt8
        /// 1: it is in a list.
        var listed: UInt8
    }

    @inline(__always)
    var lists: UnsafeMutablePointer<Lists> { @_noLocks get { memory.bytes.assumingMemoryBound(to: Lists.self) } }

    /// First flow of each size.
    @inline(__always)
    private var heads: UnsafeMutablePointer<UInt16> { @_noLocks get { (memory.bytes + Self.heads).assumingMemoryBound(to: UInt16.self) } }

    @_noLocks @inline(__always)
    func flow(_ number: UInt16) -> UnsafeMutablePointer<Flow> {
        (memory.bytes + Self.firstFlow).assumingMemoryBound(to: Flow.self) + Int(number)
    }

    /// All flows are empty: whoever comes next is new.
    @_noLocks
    func reset() {
        let epoch = lists.pointee.epoch &+ 1
        lists.pointee = Lists(newHead: 0, newTail: 0, oldHead: 0, oldTail: 0, new: 0, old: 0, epoch: epoch, sizes: 0)
    }

    /// Forgets what a flow said before the leaf was last empty.
    @_noLocks @inline(__always)
    func renew(_ flow: UnsafeMutablePointer<Flow>) {
        if flow.pointee.epoch == lists.pointee.epoch { return }
        flow.pointee.epoch = lists.pointee.epoch
        flow.pointee.queue = FrameQueue()
        flow.pointee.listed = 0
        flow.pointee.size = 0
    }

    @_noLocks
    func appendNew(_ number: UInt16) {
        flow(number).pointee.next = 0
        flow(number).pointee.listed = 1
        if lists.pointee.newHead == 0 { lists.pointee.newHead = number } else { flow(lists.pointee.newTail).pointee.next = number }
        lists.pointee.newTail = number
        lists.pointee.new &+= 1
    }

    /// Before all others.
    @_noLocks
    func prependNew(_ number: UInt16) {
        flow(number).pointee.next = lists.pointee.newHead
        flow(number).pointee.listed = 1
        if lists.pointee.newHead == 0 { lists.pointee.newTail = number }
        lists.pointee.newHead = number
        lists.pointee.new &+= 1
    }

    @_noLocks
    func appendOld(_ number: UInt16) {
        flow(number).pointee.next = 0
        flow(number).pointee.listed = 1
        if lists.pointee.oldHead == 0 { lists.pointee.oldHead = number } else { flow(lists.pointee.oldTail).pointee.next = number }
        lists.pointee.oldTail = number
        lists.pointee.old &+= 1
    }

    /// Takes out the flow whose turn it is: the first of the new ones, or of the old.
    @_noLocks
    func removeHead() {
        let isNew = lists.pointee.newHead != 0
        let place = flow(isNew ? lists.pointee.newHead : lists.pointee.oldHead)
        place.pointee.listed = 0
        if isNew {
            lists.pointee.newHead = place.pointee.next
            lists.pointee.new &-= 1
        } else {
            lists.pointee.oldHead = place.pointee.next
            lists.pointee.old &-= 1
        }
    }

    /// Moves a flow among those of the size it has now.
    @_noLocks
    func resize(_ number: UInt16, _ frames: UnsafeMutablePointer<FrameNode>) {
        let place = flow(number)
        let bytes = place.pointee.queue.isEmpty ? 0 : max(place.pointee.queue.allBytes(frames), 2)
        var size: UInt8 = 0
        if bytes != 0 {
            let power = 31 &- UInt32(truncatingIfNeeded: bytes.leadingZeroBitCount)
            size = UInt8(truncatingIfNeeded: power &* 2 &+ bytes &>> (power &- 1) & 1)
        }
        let old = place.pointee.size
        if size == old { return }
        if old != 0 {
            let larger = place.pointee.larger, smaller = place.pointee.smaller
            if smaller != 0 { flow(smaller).pointee.larger = larger }
            if larger != 0 {
                flow(larger).pointee.smaller = smaller
            } else {
                heads[Int(old)] = smaller
                if smaller == 0 { lists.pointee.sizes &= ~(1 &<< UInt64(old)) }
            }
        }
        place.pointee.size = size
        if size == 0 { return }
        let head = lists.pointee.sizes &>> UInt64(size) & 1 == 0 ? 0 : heads[Int(size)]
        place.pointee.larger = 0
        place.pointee.smaller = head
        if head != 0 { flow(head).pointee.larger = number }
        heads[Int(size)] = number
        lists.pointee.sizes |= 1 &<< UInt64(size)
    }

    /// A flow with at least two thirds of the bytes of the one that has most; 0: all are empty.
    @inline(__always)
    var fattest: UInt16 {
        @_noLocks get {
            let sizes = lists.pointee.sizes
            return sizes == 0 ? 0 : heads[63 &- sizes.leadingZeroBitCount]
        }
    }
}
