import Netlink
import Synchronization

/// The MTUs of kernel interfaces that ports have raised. An interface gets its own MTU back when no port needs a larger one any more, unless somebody else has
/// changed it.
let raisedMTUs = RaisedMTUs()

final class RaisedMTUs: Sendable {
    private struct Interface {
        /// The interface's own MTU, and the one that it has been given.
        var own: Int, given: Int
        /// The MTU that each user needs.
        var needs: [UInt64: Int] = [:]
        var record: MTURecord?
    }
    private let interfaces = Mutex<[Int: Interface]>([:])
    private let users = Atomic<UInt64>(0)

    /// - Returns: a number that identifies one user of this table.
    func newUser() -> UInt64 { users.add(1, ordering: .relaxed).newValue }

    /// Gives an interface an MTU of at least `mtu`, or its own one back if that is enough.
    /// - Parameters:
    ///   - user: the number that `newUser` returned.
    ///   - index: the interface's index, as the interface may have been renamed.
    func carry(_ mtu: Int, for user: UInt64, on index: Int, _ links: LinkSocket) throws(NetlinkError) {
        var interface: Interface
        if let known = interfaces.withLock({ $0[index] }), known.given != known.own {
            interface = known
        } else {
            // No port has raised the MTU now, so somebody else may have changed it meanwhile.
            let now = try links.link(index: index).mtu
            interface = Interface(own: now, given: now, needs: interfaces.withLock { $0[index]?.needs } ?? [:])
        }
        interface.needs[user] = mtu
        let wanted = max(interface.own, interface.needs.values.max() ?? 0)
        if wanted != interface.given {
            if wanted != interface.own {
                // The record is written before the MTU is changed, as a daemon may be killed at any time.
                interface.record = interface.record ?? MTURecord(index)
                interface.record?.note(own: interface.own, given: wanted)
            }
            do {
                try links.setMTU(links.link(index: index).name, wanted)
            } catch {
                if interface.given == interface.own { interface.record?.remove() }
                throw error
            }
            interface.given = wanted
        }
        store(interface, index)
    }

    /// Records that a user needs no MTU any more.
    func release(_ user: UInt64, on index: Int, _ links: LinkSocket) {
        guard var interface = interfaces.withLock({ $0[index] }), interface.needs.removeValue(forKey: user) != nil else { return }
        let wanted = max(interface.own, interface.needs.values.max() ?? 0)
        if wanted != interface.given {
            if let link = try? links.link(index: index), link.mtu == interface.given {
                if wanted != interface.own { interface.record?.note(own: interface.own, given: wanted) }
                try? links.setMTU(link.name, wanted)
            }
            interface.given = wanted
        }
        store(interface, index)
    }

    private func store(_ interface: Interface, _ index: Int) {
        var interface = interface
        if interface.given == interface.own {
            interface.record?.remove()
            interface.record = nil
        }
        let kept = interface.needs.isEmpty ? nil : interface
        interfaces.withLock { $0[index] = kept }
    }
}
