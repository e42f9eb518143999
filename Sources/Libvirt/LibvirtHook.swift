import Configuration

/// A call of libvirt's hook for QEMU (docs/hooks.rst): `/etc/libvirt/hooks/qemu NAME OPERATION SUBOPERATION EXTRA`, the domain's XML on standard input.
///
/// A hook must not call libvirt, which waits for it, and must print nothing: what it prints at `migrate` and `restore` becomes the domain's XML.
public struct LibvirtHook: Equatable, Sendable {
    public var domain: String
    public var operation: String
    /// `begin`, `end`, or `-`
    public var suboperation: String
    /// Why a domain was released; `-` before libvirt 10.5.
    public var extra: String

    /// What there is to do.
    public enum Action: Equatable, Sendable {
        /// Ports and guests of the domain are made, or become what the XML says. Doing it twice does no harm.
        case put
        /// The domain is about to come from another host or a file, and `put` will follow: that it could be done is to be made sure of, and nothing changes.
        case check
        /// Ports and guests of the domain go, if they are there.
        case remove
        case nothing
    }

    /// - Parameter arguments: without the hook's own path.
    /// - Throws: a sentence, if libvirt does not call it so.
    public init(arguments: [String]) throws(ConfigurationError) {
        guard arguments.count == 4, !arguments[0].isEmpty, arguments[0] != "-", !arguments[1].isEmpty else {
            throw ConfigurationError(
                "", "libvirt calls its hook with four words, such as vm1 prepare begin -, and these are \(arguments.count): link it as /etc/libvirt/hooks/qemu")
        }
        (domain, operation, suboperation, extra) = (arguments[0], arguments[1], arguments[2], arguments[3])
    }

    public var action: Action {
        switch operation {
        // Before QEMU is there, and again when libvirt itself was started anew or was told of a QEMU that it did not start.
        case "prepare", "start", "reconnect", "attach": .put
        case "migrate", "restore": .check
        // QEMU has ended at both; a start that failed is told by the second alone.
        case "stopped", "release": .remove
        // `started` says nothing new, and what later versions say is not known.
        default: .nothing
        }
    }

    /// Whether a failure is to be told to libvirt by the hook's status. Before a start it keeps the domain from running without its guarantees; at `reconnect`
    /// libvirt would kill a domain that runs, and afterwards nothing comes of it.
    public var mayRefuse: Bool {
        switch operation {
        case "prepare", "start", "migrate", "restore": true
        default: false
        }
    }

    /// Whether the XML is that of the domain that the call is about.
    public func concerns(_ domain: LibvirtDomain) -> Bool { domain.name == self.domain }
}
