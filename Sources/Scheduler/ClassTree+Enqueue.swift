extension ClassTree {
    /// Queues a frame of `length` bytes in a leaf. The tree owns the frame only if the verdict is `queued`.
    @_noLocks
    public mutating func enqueue(
        _ handle: UnsafeMutableRawPointer, length: UInt32, tag: UInt32, to leaf: ClassID, at now: Nanoseconds
    ) -> EnqueueVerdict {
        guard Self.has(leaves, leaf) else { return .notALeaf }
        let node = nodes + Int(leaf)
        let count = node.pointee.count
        if count >= node.pointee.limitPackets || UInt64(node.pointee.bytes) &+ UInt64(length) > UInt64(node.pointee.limitBytes) {
            blocks[Int(leaf)].droppedQueueLimit &+= 1
            return .queueLimit
        }
        // Dynamic threshold (Choudhury and Hahne 1998): a leaf may hold as many frames as are still free. One flooding leaf takes
        // half of the buffer, n of them leave 1/(n+1) of it, so there is always room for a leaf that holds little.
        if count >= free {
            if free == 0 {
                blocks[Int(leaf)].droppedBufferFull &+= 1
                return .bufferFull
            }
            blocks[Int(leaf)].droppedBufferShare &+= 1
            return .bufferShare
        }
        var index = freeHead
        if index != 0 {
            freeHead = frames[Int(index)].next
        } else {
            fresh &+= 1
            index = fresh
        }
        free &-= 1
        frames[Int(index)] = FrameNode(handle: handle, since: now, length: length, tag: tag, next: 0, unused: 0)
        backlogFrames &+= 1
        backlogBytes &+= Int(length)
        node.pointee.count = count &+ 1
        node.pointee.bytes &+= length
        if count != 0 {
            frames[Int(node.pointee.tail)].next = index
            node.pointee.tail = index
            return .queued
        }
        node.pointee.head = index
        node.pointee.tail = index
        if outputStates[Int(node.pointee.output)].isParked == 0 {
            arrivals[arrived] = leaf
            arrived &+= 1
            if arrived == Self.mostArrivals { admitArrivals(at: now) }
        } else {
            park(leaf: leaf)
        }
        return .queued
    }

    /// Moves up to `limit` frames that were given up after they were accepted (by CoDel, or because their class was removed) to
    /// `into`; they are the caller's to free. They keep their place in the buffer until then.
    @_noLocks
    public mutating func takeDropped(into: UnsafeMutablePointer<UnsafeMutableRawPointer>, limit: Int) -> Int {
        var taken = 0
        while droppedHead != 0, taken < limit {
            let index = droppedHead
            into[taken] = frames[Int(index)].handle
            taken &+= 1
            droppedHead = frames[Int(index)].next
            if droppedHead == 0 { droppedTail = 0 }
            release(index)
        }
        return taken
    }

    @_noLocks @inline(__always)
    mutating func release(_ index: UInt32) {
        frames[Int(index)].next = freeHead
        freeHead = index
        free &+= 1
    }

    /// Appends the chain from `head` to `tail` to the frames given up.
    @_noLocks @inline(__always)
    mutating func giveUp(_ head: UInt32, _ tail: UInt32) {
        if droppedTail == 0 { droppedHead = head } else { frames[Int(droppedTail)].next = head }
        droppedTail = tail
        frames[Int(tail)].next = 0
    }
}
