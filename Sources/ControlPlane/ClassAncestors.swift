import Configuration
import ControlAPI
import DataPlane

/// Which ceilings the classes of a tree waited for and which classes lent to them, under the names that users gave them.
struct ClassAncestors {
    private let tree: TreeDescription
    private let counters: DataPlane.TreeCounters
    /// Places in `tree.classes`, by class id. They are worked out only when some class has waited or borrowed.
    private lazy var places = Dictionary(tree.classes.indices.map { (tree.classes[$0].id, $0) }) { first, _ in first }

    /// Class ids, by path; the root's path is empty.
    private lazy var ids = Dictionary(tree.classes.map { ($0.path, $0.id) } + [("", ClassIDs.root)]) { first, _ in first }

    init(_ tree: TreeDescription, _ counters: DataPlane.TreeCounters) {
        self.tree = tree
        self.counters = counters
    }

    mutating func waits(of item: ClassDescription) -> [ClassStatus.AncestorWaits] {
        let amounts = counters.ceilingWaits(of: item.id).joined().map { (id: $0.ancestor, amount: $0.waits) }
        return sums(amounts, above: item).map { ClassStatus.AncestorWaits(id: $0, class: $1, waits: $2) }
    }

    mutating func loans(of item: ClassDescription) -> [ClassStatus.AncestorLoan] {
        let amounts = counters.loans(of: item.id).joined().map { (id: $0.lender, amount: $0.bytes) }
        let earlier = counters.earlierLoans(item.path).map { path, bytes in (id: ids[path] ?? item.parent, amount: bytes) }
        return sums(amounts + earlier, above: item).map { ClassStatus.AncestorLoan(id: $0, class: $1, bytes: $2) }
    }

    /// Sums over all poll loops' instances of the tree, the nearest ancestor first. Sums of 0 are left out.
    private mutating func sums(_ amounts: [(id: UInt16, amount: UInt64)], above item: ClassDescription) -> [(UInt16, String, UInt64)] {
        let sums = amounts.reduce(into: [:]) { $0[$1.id, default: 0] &+= $1.amount }
        var result: [(UInt16, String, UInt64)] = []
        var id = item.parent
        while id != 0 {
            let ancestor = places[id].map { tree.classes[$0] }
            if let sum = sums[id], sum != 0 { result.append((id, ancestor?.path ?? tree.name, sum)) }
            id = ancestor?.parent ?? 0
        }
        return result
    }
}
