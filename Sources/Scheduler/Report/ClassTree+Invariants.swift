/// The conditions that the lists, bitmaps and counts of a tree must fulfil. Tests check them again and again; no poll loop does.
///
/// **Modes.** `active` has a bit for each priority at which a class has frames to send, itself or in its descendants. The mode of an active class is what its
/// tokens allowed when they were last looked at; the mode of any other class means nothing.
/// - A leaf is active at no other priority than its own. If and only if it holds frames, it is exactly one of: active, parked, or among the arrivals.
/// - An inner class is active at exactly those priorities at which its feed has a child.
///
/// **Rows.** A class is in the row of its level and of a priority if and only if it is active at that priority and its mode is `Mode.canSend`; `inRow` says so.
/// The bit in `rows` says whether the row has a class; `rowHeads` is 0 if it has none.
///
/// **Feeds.** A class that is active and in `Mode.mayBorrow` is in its parent's feed at each of its priorities. One that is active and in `Mode.canSend` may be
/// (it keeps its place); one that is at its ceiling or not active is not. `inFeed` says so. Only inner classes have feeds. In a tree that leases its rates, a
/// feed's weight is the sum of the quanta of the classes in it.
///
/// **Savers.** A class in a row of savers is active there, has saved credit, and is not at its ceiling. A class that is active, may borrow and has saved credit
/// is in such a row. `saverRows` is for these what `rows` is for other rows; while it is 0, `saversDue` is `.max`.
///
/// **Parked leaves.** A leaf in the list of its output is active nowhere. A list has leaves only while its output is parked; `parkedOutputs` counts the parked
/// outputs.
///
/// **Timers.** A class in the wheel is in the bucket that belongs to its time, which is later than `base` and no earlier than `nextDue`; no other class has its
/// timer set. A class that waits for tokens at its own limits, or above a floor that will be refilled, has its timer set (unless, in a tree that leases,
/// nothing is booked).
///
/// **Frames.** Each frame is in a leaf's queue, dropped, or free. A queue is a ring with as many frames and bytes as are counted.
///
/// **Counts.** `limitedInners`, `inners`, `flowClasses`, `markingClasses` and `children` equal what counting the classes gives. A class is a leaf if and only if it has no
/// children; the level of an inner class is seven minus its depth. Between calls, the root has been charged for everything and no leaf is joining a row.
extension ClassTree {
    /// Returns a sentence for each condition that is violated. It looks at everything, so it is for tests only.
    package func brokenInvariants() -> [String] {
        let check = InvariantCheck(self)
        check.run()
        return check.broken
    }
}

/// Checks a whole tree once.
private final class InvariantCheck {
    private var tree: ClassTree
    private var ids: [ClassID] = []
    /// The children of each class, by id.
    private var children: [[ClassID]]
    /// For each row the number of classes that claim to be in it.
    private var inRows = [Int](repeating: 0, count: 64), inSaversRows = [Int](repeating: 0, count: 64)
    private(set) var broken: [String] = []

    init(_ tree: ClassTree) {
        self.tree = tree
        children = Array(repeating: [], count: tree.classes)
        for word in 0..<(tree.classes + 63) / 64 {
            var rest = tree.existing[word]
            while rest != 0 {
                ids.append(ClassID(word * 64 + rest.trailingZeroBitCount))
                rest &= rest - 1
            }
        }
        for id in ids {
            let state = tree.states[Int(id)]
            if Int(state.parent) < children.count { children[Int(state.parent)].append(id) }
            for priority in 0..<8 {
                let row = Int(state.level) * 8 + priority
                if has(state.inRow, priority) { inRows[row] += 1 }
                if state.flags & ClassFlags.extra != 0, has(tree.extras[Int(id)].inRow, priority) { inSaversRows[row] += 1 }
            }
        }
    }

    private func expect(_ isKept: Bool, _ promise: @autoclosure () -> String) { if !isKept { broken.append(promise()) } }

    private func state(_ id: ClassID) -> ClassState { tree.states[Int(id)] }
    private func node(_ id: ClassID) -> ClassNode { tree.nodes[Int(id)] }
    private func isLeaf(_ id: ClassID) -> Bool { ClassTree.has(tree.leaves, id) }
    private func has(_ bits: UInt8, _ priority: Int) -> Bool { bits >> UInt8(priority) & 1 != 0 }

    func run() {
        counts()
        for id in ids { if isLeaf(id) { leaf(id) } else { inner(id) } }
        for row in 0..<64 { self.row(row) }
        for row in 0..<64 { savers(row) }
        for id in ids { places(id) }
        if tree.saverRows & ~ClassTree.sharesMark == 0 { expect(tree.saversDue == .max, "there are no savers, and they are due at \(tree.saversDue)") }
        parked()
        timers()
        frames()
    }

    // MARK: Counts

    private func counts() {
        let inner = ids.filter { !isLeaf($0) }
        expect(tree.inners == inner.count, "\(tree.inners) classes count as inner ones, \(inner.count) are")
        expect(tree.limitedInners == inner.count { $0 != 1 && tree.hasLimits($0) }, "\(tree.limitedInners) inner classes count as ones with limits")
        expect(tree.flowClasses == ids.count { tree.queuesFlows($0) }, "\(tree.flowClasses) classes count as ones that queue flows apart")
        expect(tree.markingClasses == ids.count { tree.marks($0) }, "\(tree.markingClasses) classes count as ones that mark frames")
        expect(tree.owedFrames == 0 && tree.owedCharge == 0, "the root owes for \(tree.owedFrames) frames")
        expect(tree.joinedRow == ClassTree.noRow, "a leaf is joining row \(tree.joinedRow)")
        for id in ids {
            let children = children[Int(id)]
            expect(isLeaf(id) == children.isEmpty, "class \(id) has \(children.count) children and is \(isLeaf(id) ? "a leaf" : "none")")
            expect(isLeaf(id) == (state(id).level == 0), "class \(id) is of level \(state(id).level)")
            if id != 1 { expect(ClassTree.has(tree.existing, state(id).parent), "class \(id) is under class \(state(id).parent), which is gone") }
        }
        expect(state(1).parent == 0, "the root is under class \(state(1).parent)")
    }

    private func depth(_ id: ClassID) -> UInt8 { id == 1 ? 0 : 1 + depth(state(id).parent) }

    // MARK: Modes

    private func leaf(_ id: ClassID) {
        let state = state(id)
        let arrivals = (0..<tree.arrived).count { tree.arrivals[$0] == id }
        let isParked = state.flags & ClassFlags.parked != 0, isActive = state.active != 0
        let ways = (isParked ? 1 : 0) + (isActive ? 1 : 0) + arrivals
        expect(
            ways == (state.tail != FrameNode.none ? 1 : 0),
            "leaf \(id) holds \(tree.queued(id)) frames, is active: \(isActive), parked: \(isParked), arrived: \(arrivals)")
        expect(state.active & ~tree.profile(of: id).pointee.priorityBit == 0, "leaf \(id) is active at \(state.active), which is not its priority")
    }

    private func inner(_ id: ClassID) {
        let state = state(id)
        expect(state.tail == 0, "inner class \(id) has a queue")
        expect(state.flags & ClassFlags.parked == 0, "inner class \(id) is parked")
        expect(state.level == 7 - depth(id), "inner class \(id) is of level \(state.level)")
        let children = children[Int(id)]
        expect(Int(node(id).children) == children.count, "class \(id) counts \(node(id).children) children, and has \(children.count)")
        for priority in 0..<8 {
            let fed = feed(id, priority)
            expect(has(state.active, priority) == !fed.isEmpty, "class \(id) has \(fed) in its feed of priority \(priority) and is active at \(state.active)")
            let saySo = children.count { has(self.state($0).inFeed, priority) }
            let areRight = fed.count == saySo && fed.allSatisfy { self.state($0).parent == id && has(self.state($0).inFeed, priority) }
            expect(areRight, "the feed of class \(id) has \(fed) at priority \(priority), \(saySo) children say so")
            if tree.shared != nil {
                let weight = fed.reduce(UInt32(0)) { $0 &+ UInt32(bitPattern: tree.leases[Int($1)].quantum) }
                let counted = tree.feedWeights[Int(id) * 8 + priority]
                expect(counted == weight, "the feed of class \(id) weighs \(counted), not \(weight)")
            }
        }
    }

    /// The children in a class's feed, in order. Also checks that its links agree in both directions.
    private func feed(_ id: ClassID, _ priority: Int) -> [ClassID] {
        let feed = tree.slots + (Int(id) * 8 + priority)
        var found: [ClassID] = []
        var next = feed.pointee.feedHead
        while next != 0, found.count <= ids.count {
            let place = tree.slot(next, priority)
            if let last = found.last {
                expect(place.pointee.feedPrevious == last, "class \(next) in the feed of class \(id) is behind \(place.pointee.feedPrevious), not \(last)")
            }
            found.append(next)
            next = place.pointee.feedNext
        }
        expect(found.count <= ids.count, "the feed of class \(id) has no end")
        if let last = found.last { expect(feed.pointee.feedTail == last, "the feed of class \(id) ends with \(feed.pointee.feedTail), not \(last)") }
        return found
    }

    // MARK: Rows

    /// Compares the lists that a class claims to be in with those that its mode requires.
    private func places(_ id: ClassID) {
        let state = state(id)
        for priority in 0..<8 {
            let isActive = has(state.active, priority)
            expect(
                has(state.inRow, priority) == (isActive && state.mode == Mode.canSend),
                "class \(id), active at \(state.active) in mode \(state.mode), is in rows \(state.inRow)")
            let mustBeFed = isActive && state.mode == Mode.mayBorrow && id != 1, mayBeFed = isActive && state.mode != Mode.cannotSend && id != 1
            expect(
                has(state.inFeed, priority) ? mayBeFed : !mustBeFed,
                "class \(id), active at \(state.active) in mode \(state.mode), is in feeds \(state.inFeed)")
            guard state.flags & ClassFlags.extra != 0 else { continue }
            let extra = tree.extras[Int(id)]
            let saves = extra.saved > 0 && extra.floorPacketTokens >= 0
            expect(
                has(extra.inRow, priority) ? saves && mayBeFed : !(saves && mustBeFed),
                "class \(id), active at \(state.active) in mode \(state.mode) with \(extra.saved) saved, is in savers' rows \(extra.inRow)")
        }
    }

    private func row(_ row: Int) {
        let level = row / 8, priority = row % 8
        var found: [ClassID] = []
        var next = tree.rowHeads[row]
        while next != 0, found.count <= ids.count {
            let links = level == 0
                ? (state(next).rowNext, state(next).rowPrevious)
                : (tree.slots[Int(next) * 8 + priority].rowNext, tree.slots[Int(next) * 8 + priority].rowPrevious)
            if let last = found.last { expect(links.1 == last, "class \(next) in row \(row) is behind \(links.1), not \(last)") }
            found.append(next)
            next = links.0
        }
        expect(found.count <= ids.count, "row \(row) has no end")
        let areRight = found.count == inRows[row] && found.allSatisfy { Int(state($0).level) == level && has(state($0).inRow, priority) }
        expect(areRight, "row \(row) has \(found), \(inRows[row]) classes say so")
        expect(tree.rows >> UInt64(row) & 1 == (found.isEmpty ? 0 : 1), "row \(row) has \(found), its bit says otherwise")
        if let last = found.last { expect(tree.rowTails[row] == last, "row \(row) ends with \(tree.rowTails[row]), not \(last)") }
    }

    private func savers(_ row: Int) {
        let level = row / 8, priority = row % 8
        func links(_ id: ClassID) -> RowLinks { tree.extras[Int(id)].places[priority] }
        var found: [ClassID] = []
        var next = tree.rowHeads[row + ClassTree.saversRow]
        while next != 0, found.count <= ids.count {
            if let last = found.last { expect(links(next).previous == last, "saver \(next) in row \(row) is behind \(links(next).previous), not \(last)") }
            found.append(next)
            next = links(next).next
        }
        expect(found.count <= ids.count, "the savers' row \(row) has no end")
        let areRight = found.count == inSaversRows[row]
            && found.allSatisfy { Int(state($0).level) == level && state($0).flags & ClassFlags.extra != 0 && has(tree.extras[Int($0)].inRow, priority) }
        expect(areRight, "the savers' row \(row) has \(found), \(inSaversRows[row]) classes say so")
        let isMarked = (tree.saverRows & ~ClassTree.sharesMark) >> UInt64(row) & 1 != 0
        expect(isMarked != found.isEmpty, "the savers' row \(row) has \(found), its bit says otherwise")
        if let last = found.last { expect(tree.rowTails[row + ClassTree.saversRow] == last, "the savers' row \(row) does not end with \(last)") }
    }

    // MARK: Outputs, timers, frames

    private func parked() {
        var isParked = 0
        for output in 0..<tree.outputs {
            let place = tree.outputStates[output]
            if place.isParked != 0 { isParked += 1 }
            var found: [ClassID] = []
            var next = place.parkedHead
            while next != 0, found.count <= ids.count {
                expect(state(next).rowPrevious == found.last ?? 0, "parked leaf \(next) is behind \(state(next).rowPrevious)")
                found.append(next)
                next = state(next).rowNext
            }
            let expected = ids.filter { state($0).flags & ClassFlags.parked != 0 && Int(tree.profile(of: $0).pointee.output) == output }
            expect(Set(found) == Set(expected) && found.count == expected.count, "output \(output) has \(found) parked, those that say so are \(expected)")
            expect(found.isEmpty || place.isParked != 0, "output \(output) is not parked and has \(found) parked")
        }
        expect(tree.parkedOutputs == isParked, "\(tree.parkedOutputs) outputs count as parked, \(isParked) are")
    }

    private func timers() {
        let wheel = tree.wheel
        broken += wheel.brokenInvariants(of: ids)
        for id in ids where state(id).active != 0 && node(id).timer.bucket == 0 {
            let state = state(id)
            if state.mode == Mode.cannotSend {
                expect(tree.shared != nil && tree.leaseDue(id, mode: state.mode) == 0, "class \(id) waits at its ceiling, and for no time")
            } else if state.mode == Mode.mayBorrow, state.flags & ClassFlags.meteredFloor != 0 {
                let isSaver = state.flags & ClassFlags.extra != 0 && tree.extras[Int(id)].inRow != 0
                expect(isSaver || tree.shared != nil && tree.leaseDue(id, mode: state.mode) == 0, "class \(id) is above its floor, and waits for no time")
            }
        }
        for id in ids where node(id).timed != 0 { expect(node(id).timer.bucket != 0, "class \(id) counts as timed, and has no timer") }
    }

    private func frames() {
        var held = 0, bytes = 0
        for id in ids where isLeaf(id) && state(id).tail != FrameNode.none {
            if state(id).tail == 0 {
                held += Int(node(id).framesAhead)
                bytes += Int(node(id).bytesAhead)
                expect(tree.queuesFlows(id) && node(id).framesAhead != 0, "leaf \(id) has no queue, and no flows that hold frames")
                continue
            }
            let tail = state(id).tail
            var index = tree.frames[Int(tail)].next
            var ahead: UInt32 = 0, size: UInt32 = 0
            while index != tail, ahead <= tree.frameCapacity {
                ahead += 1
                size &+= tree.frames[Int(index)].charge.bytes
                index = tree.frames[Int(index)].next
            }
            // The counts of frames ahead mean nothing in a leaf that holds one frame.
            let saysSo = tree.queued(id) == ahead + 1 && tree.queuedBytes(id) == size &+ tree.frames[Int(tail)].charge.bytes
            expect(saysSo, "leaf \(id) holds \(ahead + 1) frames and counts \(tree.queued(id))")
            held += Int(ahead) + 1
            bytes += Int(size) + Int(tree.frames[Int(tail)].charge.bytes)
        }
        expect(tree.backlogFrames == held, "\(tree.backlogFrames) frames count as held, \(held) are")
        expect(tree.backlogBytes == bytes, "\(tree.backlogBytes) bytes count as held, \(bytes) are")
        let free = chain(tree.freeHead), dropped = chain(tree.droppedHead)
        let unused = Int(tree.frameCapacity) - Int(tree.fresh - FrameNode.none)
        expect(Int(tree.free) == free + unused, "\(tree.free) frames count as free, \(free + unused) are")
        expect(
            held + dropped + free + unused == Int(tree.frameCapacity),
            "\(held) frames are held, \(dropped) given up, \(free + unused) free, of \(tree.frameCapacity)")
    }

    private func chain(_ head: UInt32) -> Int {
        var count = 0
        var index = head
        while index != FrameNode.none, count <= Int(tree.frameCapacity) {
            count += 1
            index = tree.frames[Int(index)].next
        }
        return count
    }
}

extension TimingWheel {
    /// Checks the wheel and the timers of `ids`.
    fileprivate func brokenInvariants(of ids: [ClassID]) -> [String] {
        var broken: [String] = []
        var found: [ClassID] = []
        for bucket in 0..<(11 * 64) {
            let wheel = bucket / 64, isMarked = masks[wheel] >> UInt64(bucket % 64) & 1 != 0
            var id = heads[bucket]
            var previous: ClassID = 0
            if isMarked != (id != 0) { broken.append("bucket \(bucket) of the wheel begins with \(id), its bit says otherwise") }
            while id != 0, found.count <= ids.count {
                let timer = timers[Int(id)]
                if Int(timer.bucket) != bucket + 1 { broken.append("class \(id) is in bucket \(bucket) of the wheel and says \(timer.bucket)") }
                if timer.previous != previous { broken.append("class \(id) in bucket \(bucket) is behind \(timer.previous), not \(previous)") }
                if timer.expiry <= base || timer.expiry < nextDue {
                    broken.append("class \(id) is due at \(timer.expiry), the wheel is at \(base) and due at \(nextDue)")
                }
                if Self.wheel(timer.expiry ^ base) != wheel || Int(timer.expiry >> UInt64(6 * wheel)) & 63 != bucket % 64 {
                    broken.append("class \(id) is due at \(timer.expiry) and in bucket \(bucket) of the wheel, which is at \(base)")
                }
                found.append(id)
                previous = id
                id = timer.next
            }
        }
        for wheel in 0..<11 where (occupied >> UInt16(wheel) & 1 != 0) != (masks[wheel] != 0) {
            broken.append("wheel \(wheel) is marked otherwise than its buckets")
        }
        let armed = ids.count { timers[Int($0)].bucket != 0 }
        if armed != found.count { broken.append("the wheel has \(found), \(armed) classes have a timer") }
        if firedTop != 0 { broken.append("classes whose time has come were not looked at") }
        return broken
    }
}
