import Bridge
import Synchronization

/// Where poll loops find the present group table of a bridge. Members come and go far more often than ports, so the table is exchanged by itself, without a new
/// snapshot.
struct GroupSlot: ~Copyable {
    /// Written by the control thread, which frees a table that it has replaced after a grace period; never nil while a loop may read it.
    let table: Atomic<UnsafeMutablePointer<GroupTable>?>

    init(_ first: UnsafeMutablePointer<GroupTable>) { table = Atomic(first) }
}
