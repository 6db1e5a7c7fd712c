array colours[7] = [blue, orange, green, purple, sky, red, ink]
set rmargin at screen 0.80
eval percentile_axis
eval length_axis
set xlabel "percentile"
set ylabel "response"
plot for [k = 1:logs] data index sprintf("log %d", k) using 1:2 \
         with lines lw 2.5 lc rgb colours[(k - 1) % 7 + 1], \
     for [k = 1:logs] data index sprintf("log %d, unsupported", k) using 1:2 \
         with lines lw 1.2 dt 2 lc rgb colours[(k - 1) % 7 + 1]
