/// Access to the two cache lines of every class. They lie side by side, so that both are in one page: line 2n is the state of class n, line 2n + 1 its node.
struct StateTable {
    let lines: UnsafeMutableRawPointer

    @_noLocks @inline(__always)
    static func + (table: StateTable, index: Int) -> UnsafeMutablePointer<ClassState> {
        (table.lines + index &* 128).assumingMemoryBound(to: ClassState.self)
    }

    subscript(index: Int) -> ClassState {
        @_noLocks @inline(__always) unsafeAddress { UnsafePointer(self + index) }
        @_noLocks @inline(__always) nonmutating unsafeMutableAddress { self + index }
    }
}

struct NodeTable {
    let lines: UnsafeMutableRawPointer

    @_noLocks @inline(__always)
    static func + (table: NodeTable, index: Int) -> UnsafeMutablePointer<ClassNode> {
        (table.lines + index &* 128 + 64).assumingMemoryBound(to: ClassNode.self)
    }

    subscript(index: Int) -> ClassNode {
        @_noLocks @inline(__always) unsafeAddress { UnsafePointer(self + index) }
        @_noLocks @inline(__always) nonmutating unsafeMutableAddress { self + index }
    }
}

/// Access to the timers within the nodes.
struct TimerTable {
    let lines: UnsafeMutableRawPointer

    @_noLocks @inline(__always)
    static func + (table: TimerTable, index: Int) -> UnsafeMutablePointer<ClassTimer> {
        (table.lines + index &* 128 + 64 + ClassNode.timerOffset).assumingMemoryBound(to: ClassTimer.self)
    }

    subscript(index: Int) -> ClassTimer {
        @_noLocks @inline(__always) unsafeAddress { UnsafePointer(self + index) }
        @_noLocks @inline(__always) nonmutating unsafeMutableAddress { self + index }
    }
}

extension ClassNode {
    @inline(__always) static var timerOffset: Int { @_noLocks get { 32 } }
}

extension ClassTree {
    var states: StateTable { @_noLocks @inline(__always) get { StateTable(lines: lines) } }
    var nodes: NodeTable { @_noLocks @inline(__always) get { NodeTable(lines: lines) } }
    var profiles: UnsafeMutablePointer<ClassProfile> { @_noLocks @inline(__always) get { (lines + Self.profilesOffset).assumingMemoryBound(to: ClassProfile.self) } }
    var frames: UnsafeMutablePointer<FrameNode> { @_noLocks @inline(__always) get { (lines + Self.framesOffset).assumingMemoryBound(to: FrameNode.self) } }

    // All tables are in one block, so that a single base register leads to each. They have room for every possible id, as `slots` has, because the leaf of a
    // frame is read before it is known to exist.
    @inline(__always) static var profilesOffset: Int { @_noLocks get { 65_536 * 128 } }
    @inline(__always) static var framesOffset: Int { @_noLocks get { profilesOffset + 65_536 * 64 } }
}
