"""A real node for the embedded cluster: containerd, kubelet, kube-proxy and CoreDNS as processes on this machine."""
