import Configuration

/// One call of libvirt's hook for QEMU (docs/hooks.rst): `/etc/libvirt/hooks/qemu NAME OPERATION SUBOPERATION EXTRA`, with the domain's XML on standard input.
///
/// A hook must not call libvirt, because libvirt waits for it. It must also print nothing on standard output: libvirt takes what a hook prints at `migrate`
/// and `restore` for the domain's XML.
public struct LibvirtHook: Equatable, Sendable {
    public var domain: String
    public var operation: String
    /// `begin`, `end`, or `-` for none.
    public var suboperation: String
    /// The reason why a domain was released; libvirt before 10.5 always says `-`.
    public var extra: String

    /// What Sluice does at a call.
    public enum Action: Equatable, Sendable {
        /// It makes the domain's ports and guests, or changes existing ones to what the XML says. Doing this twice does no harm.
        case put
        /// It checks that `put` would succeed, and changes nothing. The domain is about to be migrated from another host or restored from a file, and a call
        /// with `put` will follow.
        case check
        /// It removes the domain's ports and guests, if there are any.
        case remove
        case nothing
    }

    /// - Parameter arguments: the arguments of the call, without the path of the hook.
    /// - Throws: a sentence if these are not four arguments as libvirt passes them.
    public init(arguments: [String]) throws(ConfigurationError) {
        guard arguments.count == 4, !arguments[0].isEmpty, arguments[0] != "-", !arguments[1].isEmpty else {
            throw ConfigurationError(
                "", "libvirt calls its hook with four words, such as vm1 prepare begin -, and these are \(arguments.count): link it as /etc/libvirt/hooks/qemu")
        }
        (domain, operation, suboperation, extra) = (arguments[0], arguments[1], arguments[2], arguments[3])
    }

    public var action: Action {
        switch operation {
        // `prepare` and `start` come before QEMU runs, `reconnect` comes when libvirt itself was restarted, and `attach` when it takes over a running QEMU.
        case "prepare", "start", "reconnect", "attach": .put
        case "migrate", "restore": .check
        // At both QEMU has ended. After a start that failed only `release` is called.
        case "stopped", "release": .remove
        // `started` says nothing new, and operations of later libvirt versions are unknown.
        default: .nothing
        }
    }

    /// Whether the hook may report a failure to libvirt by its exit status. Before a start, that keeps the domain from running without its guarantees. At
    /// `reconnect` libvirt would kill the running domain, and after the end of a domain it ignores the status.
    public var mayRefuse: Bool {
        switch operation {
        case "prepare", "start", "migrate", "restore": true
        default: false
        }
    }

    /// Whether a domain's XML is that of the domain that the call is about.
    public func concerns(_ domain: LibvirtDomain) -> Bool { domain.name == self.domain }
}
