import Foundation

/// A libvirtd for one test. Its configuration, state and sockets lie in a mount namespace of its own, which disappears with it.
final class Libvirtd {
    private let lab: Lab
    private(set) var process: ChildProcess
    private let script: String

    /// - Parameter prepare: a command that runs in the mount namespace before libvirtd starts.
    init(_ lab: Lab, prepare: [String], environment: [String: String] = [:]) throws {
        self.lab = lab
        // QEMU runs as root, and without the services of a host with systemd. The users and groups that libvirt needs, which other Debian packages would
        // create, are added to copies of the files.
        script = try lab.write(
            "libvirtd.sh",
            """
            set -e
            mount --make-rprivate /
            for folder in /run/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /etc/libvirt /usr/local/bin; do
                mkdir -p $folder
                mount -t tmpfs libvirt $folder
            done
            cd /etc/libvirt
            { cat /etc/passwd; echo 'libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin'; } >passwd
            { cat /etc/group; echo 'libvirt-qemu:x:64055:'; grep -q ^kvm: /etc/group || echo 'kvm:x:64057:'; } >group
            mount --bind passwd /etc/passwd
            mount --bind group /etc/group
            cat >qemu.conf <<END
            user="root"
            group="root"
            security_driver="none"
            cgroup_controllers=[]
            namespaces=[]
            remember_owner=0
            stdio_handler="file"
            END
            cat >libvirtd.conf <<END
            auth_unix_rw="none"
            auth_unix_ro="none"
            unix_sock_group="root"
            log_level=3
            log_outputs="3:stderr"
            host_uuid="6b0fda5c-0000-4000-8000-0000000000aa"
            END
            "$@" >&2
            exec libvirtd -f /etc/libvirt/libvirtd.conf

            """)
        let child = try ChildProcess(["unshare", "-m", "sh", script] + prepare, environment: environment)
        process = child
        lab.atClose {
            // The guests are processes of their own, which do not end with libvirtd.
            let virsh = ["nsenter", "-t", "\(child.pid)", "-m", "virsh", "-c", "qemu:///system"]
            let names = (try? SystemTests.finish(virsh + ["list", "--name"], within: 30))?.output.split(whereSeparator: \.isWhitespace) ?? []
            for name in names { _ = try? SystemTests.finish(virsh + ["destroy", String(name)], within: 30) }
            child.stop()
        }
        try eventually("libvirtd answers", within: 30) {
            guard process.isRunning else { throw LabError("libvirtd ended:\n\(process.errors.text)", isFinal: true) }
            return try self.finish("virsh", "-c", "qemu:///system", "version").status == 0
        }
    }

    /// Runs a program in libvirtd's mount namespace.
    func finish(_ arguments: String..., environment: [String: String] = [:]) throws -> Finished {
        try SystemTests.finish(["nsenter", "-t", "\(process.pid)", "-m"] + arguments, environment: environment, within: 60)
    }

    func virsh(_ arguments: String...) throws -> Finished {
        try SystemTests.finish(["nsenter", "-t", "\(process.pid)", "-m", "virsh", "-c", "qemu:///system"] + arguments, within: 60)
    }

    var log: String { process.errors.text }
}
