import Bridge
import Synchronization

/// Where poll loops find what a bridge's groups are now. Members come and go far more often than ports, so the table is exchanged by itself, and a snapshot
/// stays.
struct GroupSlot: ~Copyable {
    /// Written by the control thread, which frees what it replaces a grace period later; never nil while a loop may read it.
    let table: Atomic<UnsafeMutablePointer<GroupTable>?>

    init(_ first: UnsafeMutablePointer<GroupTable>) { table = Atomic(first) }
}
