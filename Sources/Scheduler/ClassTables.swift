/// The two cache lines of every class, side by side: line 2n is the state of class n and line 2n + 1 its node, so that both lie in one page
/// and the second is fetched with the first.
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

extension ClassTree {
    var states: StateTable { @_noLocks @inline(__always) get { StateTable(lines: lines) } }
    var nodes: NodeTable { @_noLocks @inline(__always) get { NodeTable(lines: lines) } }
}
