# Written by onrush plot. Its data are in compare.dat, and
#     gnuplot -e "term='png'" compare.gp
# draws it in this folder; term may be svg, png, pdf or dumb.
name = 'compare'
data = 'compare.dat'
heading = 'Response time by percentile, compared'
caption = '1000/s even for 300ms, concurrence 4 fresh  /  1000/s even for 1s, concurrence 4 kept'
percentile_axis = 'set logscale x; set xrange [1:1500]; set xtics ("min" 1, "50 %%" 2, "90 %%" 10, "99 %%" 100, "99.9 %%" 1000)'
length_axis = 'set logscale y; set yrange [50000:100000000]; set ytics ("100 us" 100000, "1 ms" 1000000, "10 ms" 10000000, "100 ms" 100000000)'
time_unit = 'ms'
time_axis = 'unset logscale x; set xrange [0:1000000000]; set xtics ("0" 0, "200" 200000000, "400" 400000000, "600" 600000000, "800" 800000000, "1000" 1000000000)'
step_axis = 'set logscale y; set yrange [50000:100000000]; set ytics ("100 us" 100000, "1 ms" 1000000, "10 ms" 10000000, "100 ms" 100000000)'
logs = 2

# The look that all pictures share.
if (!exists("term")) term = "svg"
if (term eq "png") set terminal pngcairo size 1440,900 font "sans,12" fontscale 1.4 linewidth 1.5
if (term eq "svg") set terminal svg size 960,600 font "sans-serif,13" background "#ffffff"
if (term eq "pdf") set terminal pdfcairo size 9.6in,6in font "sans,13"
if (term eq "dumb") set terminal dumb size 110,40
set output term eq "dumb" ? "/dev/stdout" : name . "." . term
set encoding utf8

# Okabe and Ito: told apart by every kind of colour vision.
blue = "#0072B2"; sky = "#56B4E9"; green = "#009E73"; orange = "#E69F00"
red = "#D55E00"; purple = "#CC79A7"; grey = "#999999"; ink = "#333333"; faint = "#F2F2F2"

set border 3 lc rgb grey
set tics nomirror out scale 0.6 tc rgb ink
set grid lc rgb "#DDDDDD" lw 0.8 dt 1
set xlabel tc rgb ink
set style fill solid noborder
set key noautotitle
set lmargin at screen 0.115
set rmargin at screen 0.87
set tmargin at screen 0.85
set bmargin at screen 0.12
set label 1 "{/:Bold " . heading . "}" at screen 0.02, 0.955 font ",16" tc rgb ink
set label 2 caption at screen 0.02, 0.905 noenhanced tc rgb "#666666"

set label 'stormy' at graph 1.01, graph 0.933 tc rgb blue noenhanced
set label 'VALID' at graph 1.01, graph 0.833 tc rgb grey noenhanced
set label 'n = 290' at graph 1.01, graph 0.733 tc rgb grey noenhanced
set label 'steady' at graph 1.01, graph 0.182 tc rgb orange noenhanced
set label 'VALID' at graph 1.01, graph 0.082 tc rgb grey noenhanced
set label 'n = 1000' at graph 1.01, graph -0.018 tc rgb grey noenhanced
array colours[7] = [blue, orange, green, purple, sky, red, ink]
colour(k) = colours[(k - 1) % 7 + 1]
set multiplot
set rmargin at screen 0.80
set bmargin at screen 0.52
eval percentile_axis
eval length_axis
set label 70 "response" at screen 0.022, graph 0.5 rotate center tc rgb ink
plot for [k = 1:logs] data index sprintf("log %d", k) using 1:2 with lines lw 2.5 lc rgb colour(k), \
     for [k = 1:logs] data index sprintf("log %d, unsupported", k) using 1:2 \
         with lines lw 1.2 dt 2 lc rgb colour(k)

unset label
set tmargin at screen 0.42
set bmargin at screen 0.12
eval time_axis
eval step_axis
set xlabel "time (" . time_unit . " since the start of measure)"
set label 70 "p99 of response" at screen 0.022, graph 0.5 rotate center tc rgb ink
plot for [k = 1:logs] data index sprintf("log %d, steps", k) using 1:3 \
         with steps lw 1.5 lc rgb colour(k)
unset multiplot
